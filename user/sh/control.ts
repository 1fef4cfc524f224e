/** How break, continue, return and Ctrl-C leave what encloses them. */
export class BreakLoop extends Error {
  override name = 'BreakLoop';
  readonly levels: number;
  readonly continues: boolean;
  constructor(levels: number, continues: boolean) {
    super(continues ? 'continue' : 'break');
    this.levels = levels;
    this.continues = continues;
  }
}

export class ReturnFunction extends Error {
  override name = 'ReturnFunction';
  readonly status: number;
  constructor(status: number) {
    super('return');
    this.status = status;
  }
}

/** Ctrl-C: an interactive shell drops the whole line. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}
