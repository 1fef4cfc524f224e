/** Names and texts of an emitted pipeline's values. */
import { Bug } from '../../../kernel/types/units.ts';
import { isConst, type Node } from './node.ts';
import type { PipelineImage } from './image.ts';

export const width = (bits: number): string => (bits === 1 ? '' : `[${bits - 1}:0] `);

export const literal = (value: bigint, bits: number): string => `${bits}'h${value.toString(16)}`;

export class Wires {
  readonly #image: PipelineImage;

  constructor(image: PipelineImage) {
    this.#image = image;
  }

  /** A node's value as it is in that stage. */
  at(node: Node, stage: number): string {
    if (isConst(node)) return literal(node.value, node.bits);
    if (node.op === 'frame') return 'frame';
    const ready = this.#image.schedule.readyAt(node);
    if (stage < ready) throw new Bug(`n${node.id} is not there in stage ${stage}`);
    return stage === ready ? `n${node.id}` : `n${node.id}_s${stage}`;
  }

  /** What a node of logic is, in Verilog; operands are widened to the wider one or the result. */
  expression(node: Node, stage: number): string {
    const { op, args, bits, value } = node;
    const [a = '', b = '', c = ''] = args.map((arg) => this.at(arg, stage));
    const OPERATORS = { add: '+', sub: '-', and: '&', or: '|', xor: '^', eq: '==', ult: '<' };
    switch (op) {
      case 'add':
      case 'sub':
      case 'and':
      case 'or':
      case 'xor':
      case 'eq':
      case 'ult':
        return `${a} ${OPERATORS[op]} ${b}`;
      case 'not':
        return `~${a}`;
      case 'shl':
        return `${a} << ${b}`;
      case 'shr':
        return `${a} >> ${b}`;
      case 'sar':
        return `$signed(${a}) >>> ${b}`;
      case 'mux':
        return `${a} ? ${b} : ${c}`;
      case 'slice': {
        const low = Number(value);
        return bits === 1 ? `${a}[${low}]` : `${a}[${low + bits - 1}:${low}]`;
      }
      case 'sext':
        return value === 1n
          ? `{${bits}{${a}}}`
          : `{{${bits - Number(value)}{${a}[${Number(value) - 1}]}}, ${a}}`;
      case 'concat':
        return `{${args
          .map((arg) => this.at(arg, stage))
          .reverse()
          .join(', ')}}`;
      case 'length':
      case 'ifindex':
      case 'queue':
        return `packet_${op}`;
      case 'time':
        return 'time_ns';
      default:
        throw new Bug(`${op} is not logic`);
    }
  }
}
