/** What is wrong with an object file. The only thing that readers of objects throw. */
export class ObjectError extends Error {
  override name = 'ObjectError';
  readonly file: string;
  /** ELF section, where the fault lies in one. */
  readonly section: string | undefined;
  /** The fault alone, without file and section. */
  readonly reason: string;

  constructor(file: string, section: string | undefined, reason: string) {
    super(section === undefined ? `${file}: ${reason}` : `${file}: section ${section}: ${reason}`);
    this.file = file;
    this.section = section;
    this.reason = reason;
  }
}
