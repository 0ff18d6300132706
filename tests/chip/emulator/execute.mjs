// What each instruction does: one long function, since this loop is where nearly all the time goes.

import { decoded, OP } from './opcodes.mjs';
import { CARRY, LR, NZ, OVERFLOW, PC, SP } from './state.mjs';

// A method of Core: execute instructions until `left` cycles are used up; slow paths use this.left
function written(left) {
  const { state: r, flash16 } = this;
  let pc = r[PC] & ~1;
  let value = 0;
  let other = 0;
  while (left > 0) {
    const op = pc >>> 28 === 1 ? flash16[(pc & 0xffffff) >> 1] : this.fetch(pc);
    pc += 2;
    left--;
    switch (decoded[op]) {
      case OP.LSL_IMM:
        value = r[(op >> 3) & 7];
        other = (op >> 6) & 31;
        if (other) r[CARRY] = (value >>> (32 - other)) & 1;
        r[op & 7] = r[NZ] = value << other;
        break;
      case OP.LSR_IMM:
        value = r[(op >> 3) & 7];
        other = (op >> 6) & 31 || 32;
        r[CARRY] = (value >>> (other - 1)) & 1;
        r[op & 7] = r[NZ] = other === 32 ? 0 : value >>> other;
        break;
      case OP.ASR_IMM:
        value = r[(op >> 3) & 7];
        other = (op >> 6) & 31 || 32;
        r[CARRY] = (value >> (other - 1)) & 1;
        r[op & 7] = r[NZ] = other === 32 ? value >> 31 : value >> other;
        break;
      case OP.ADD_REG:
        r[op & 7] = this.add(r[(op >> 3) & 7], r[(op >> 6) & 7], 0);
        break;
      case OP.SUB_REG:
        r[op & 7] = this.add(r[(op >> 3) & 7], ~r[(op >> 6) & 7], 1);
        break;
      case OP.ADD_IMM3:
        r[op & 7] = this.add(r[(op >> 3) & 7], (op >> 6) & 7, 0);
        break;
      case OP.SUB_IMM3:
        r[op & 7] = this.add(r[(op >> 3) & 7], ~((op >> 6) & 7), 1);
        break;
      case OP.MOV_IMM:
        r[(op >> 8) & 7] = r[NZ] = op & 0xff;
        break;
      case OP.CMP_IMM:
        this.add(r[(op >> 8) & 7], ~(op & 0xff), 1);
        break;
      case OP.ADD_IMM8:
        r[(op >> 8) & 7] = this.add(r[(op >> 8) & 7], op & 0xff, 0);
        break;
      case OP.SUB_IMM8:
        r[(op >> 8) & 7] = this.add(r[(op >> 8) & 7], ~(op & 0xff), 1);
        break;
      case OP.AND:
        r[op & 7] = r[NZ] = r[op & 7] & r[(op >> 3) & 7];
        break;
      case OP.EOR:
        r[op & 7] = r[NZ] = r[op & 7] ^ r[(op >> 3) & 7];
        break;
      case OP.LSL_REG:
        value = r[op & 7];
        other = r[(op >> 3) & 7] & 0xff;
        if (other) r[CARRY] = other > 32 ? 0 : (value >>> (32 - other)) & 1;
        r[op & 7] = r[NZ] = other > 31 ? 0 : value << other;
        break;
      case OP.LSR_REG:
        value = r[op & 7];
        other = r[(op >> 3) & 7] & 0xff;
        if (other) r[CARRY] = other > 32 ? 0 : (value >>> (other - 1)) & 1;
        r[op & 7] = r[NZ] = other > 31 ? 0 : value >>> other;
        break;
      case OP.ASR_REG:
        value = r[op & 7];
        other = Math.min(r[(op >> 3) & 7] & 0xff, 32);
        if (other) r[CARRY] = (value >> (other - 1)) & 1;
        r[op & 7] = r[NZ] = other > 31 ? value >> 31 : value >> other;
        break;
      case OP.ADC:
        r[op & 7] = this.add(r[op & 7], r[(op >> 3) & 7], r[CARRY]);
        break;
      case OP.SBC:
        r[op & 7] = this.add(r[op & 7], ~r[(op >> 3) & 7], r[CARRY]);
        break;
      case OP.ROR:
        value = r[op & 7];
        other = r[(op >> 3) & 7] & 0xff;
        if (other) {
          value = (value >>> (other & 31)) | (value << (32 - (other & 31)));
          r[CARRY] = value >>> 31;
        }
        r[op & 7] = r[NZ] = value;
        break;
      case OP.TST:
        r[NZ] = r[op & 7] & r[(op >> 3) & 7];
        break;
      case OP.RSB:
        r[op & 7] = this.add(0, ~r[(op >> 3) & 7], 1);
        break;
      case OP.CMP_REG:
        this.add(r[op & 7], ~r[(op >> 3) & 7], 1);
        break;
      case OP.CMN:
        this.add(r[op & 7], r[(op >> 3) & 7], 0);
        break;
      case OP.ORR:
        r[op & 7] = r[NZ] = r[op & 7] | r[(op >> 3) & 7];
        break;
      case OP.MUL:
        r[op & 7] = r[NZ] = Math.imul(r[op & 7], r[(op >> 3) & 7]);
        break;
      case OP.BIC:
        r[op & 7] = r[NZ] = r[op & 7] & ~r[(op >> 3) & 7];
        break;
      case OP.MVN:
        r[op & 7] = r[NZ] = ~r[(op >> 3) & 7];
        break;
      case OP.ADD_HIGH:
        r[PC] = pc + 2;
        other = ((op >> 4) & 8) | (op & 7);
        value = r[other] + r[(op >> 3) & 15];
        if (other === PC) { pc = value & ~1; left--; } else r[other] = other === SP ? value & ~3 : value;
        break;
      case OP.CMP_HIGH:
        r[PC] = pc + 2;
        this.add(r[((op >> 4) & 8) | (op & 7)], ~r[(op >> 3) & 15], 1);
        break;
      case OP.MOV_HIGH:
        r[PC] = pc + 2;
        other = ((op >> 4) & 8) | (op & 7);
        value = r[(op >> 3) & 15];
        if (other === PC) { pc = value & ~1; left--; } else r[other] = other === SP ? value & ~3 : value;
        break;
      case OP.BX:
        left--;
        r[PC] = pc;
        this.left = left;
        this.branchTo(r[(op >> 3) & 15]);
        left = this.left;
        pc = r[PC];
        break;
      case OP.BLX:
        left--;
        value = r[(op >> 3) & 15] & ~1;
        r[LR] = pc | 1;
        pc = value;
        break;
      case OP.LDR_LITERAL:
        this.left = left - 1;
        r[(op >> 8) & 7] = this.load32(((pc + 2) & ~3) + ((op & 0xff) << 2));
        left = this.left;
        break;
      case OP.STR_REG:
        this.left = left - 1;
        this.store32(r[(op >> 3) & 7] + r[(op >> 6) & 7], r[op & 7]);
        left = this.left;
        break;
      case OP.STRH_REG:
        this.left = left - 1;
        this.store16(r[(op >> 3) & 7] + r[(op >> 6) & 7], r[op & 7]);
        left = this.left;
        break;
      case OP.STRB_REG:
        this.left = left - 1;
        this.store8(r[(op >> 3) & 7] + r[(op >> 6) & 7], r[op & 7]);
        left = this.left;
        break;
      case OP.LDRSB:
        this.left = left - 1;
        r[op & 7] = (this.load8(r[(op >> 3) & 7] + r[(op >> 6) & 7]) << 24) >> 24;
        left = this.left;
        break;
      case OP.LDR_REG:
        this.left = left - 1;
        r[op & 7] = this.load32(r[(op >> 3) & 7] + r[(op >> 6) & 7]);
        left = this.left;
        break;
      case OP.LDRH_REG:
        this.left = left - 1;
        r[op & 7] = this.load16(r[(op >> 3) & 7] + r[(op >> 6) & 7]);
        left = this.left;
        break;
      case OP.LDRB_REG:
        this.left = left - 1;
        r[op & 7] = this.load8(r[(op >> 3) & 7] + r[(op >> 6) & 7]);
        left = this.left;
        break;
      case OP.LDRSH:
        this.left = left - 1;
        r[op & 7] = (this.load16(r[(op >> 3) & 7] + r[(op >> 6) & 7]) << 16) >> 16;
        left = this.left;
        break;
      case OP.STR_IMM:
        this.left = left - 1;
        this.store32(r[(op >> 3) & 7] + ((op >> 4) & 0x7c), r[op & 7]);
        left = this.left;
        break;
      case OP.LDR_IMM:
        this.left = left - 1;
        r[op & 7] = this.load32(r[(op >> 3) & 7] + ((op >> 4) & 0x7c));
        left = this.left;
        break;
      case OP.STRB_IMM:
        this.left = left - 1;
        this.store8(r[(op >> 3) & 7] + ((op >> 6) & 31), r[op & 7]);
        left = this.left;
        break;
      case OP.LDRB_IMM:
        this.left = left - 1;
        r[op & 7] = this.load8(r[(op >> 3) & 7] + ((op >> 6) & 31));
        left = this.left;
        break;
      case OP.STRH_IMM:
        this.left = left - 1;
        this.store16(r[(op >> 3) & 7] + ((op >> 5) & 0x3e), r[op & 7]);
        left = this.left;
        break;
      case OP.LDRH_IMM:
        this.left = left - 1;
        r[op & 7] = this.load16(r[(op >> 3) & 7] + ((op >> 5) & 0x3e));
        left = this.left;
        break;
      case OP.STR_SP:
        this.left = left - 1;
        this.store32(r[SP] + ((op & 0xff) << 2), r[(op >> 8) & 7]);
        left = this.left;
        break;
      case OP.LDR_SP:
        this.left = left - 1;
        r[(op >> 8) & 7] = this.load32(r[SP] + ((op & 0xff) << 2));
        left = this.left;
        break;
      case OP.ADR:
        r[(op >> 8) & 7] = ((pc + 2) & ~3) + ((op & 0xff) << 2);
        break;
      case OP.ADD_SP:
        r[(op >> 8) & 7] = r[SP] + ((op & 0xff) << 2);
        break;
      case OP.SP_UP:
        r[SP] += (op & 0x7f) << 2;
        break;
      case OP.SP_DOWN:
        r[SP] -= (op & 0x7f) << 2;
        break;
      case OP.SXTH:
        r[op & 7] = (r[(op >> 3) & 7] << 16) >> 16;
        break;
      case OP.SXTB:
        r[op & 7] = (r[(op >> 3) & 7] << 24) >> 24;
        break;
      case OP.UXTH:
        r[op & 7] = r[(op >> 3) & 7] & 0xffff;
        break;
      case OP.UXTB:
        r[op & 7] = r[(op >> 3) & 7] & 0xff;
        break;
      case OP.PUSH:
        this.left = left;
        this.push(op & 0x1ff);
        left = this.left;
        break;
      case OP.POP:
        r[PC] = pc;
        this.left = left;
        this.pop(op & 0x1ff);
        left = this.left;
        pc = r[PC];
        break;
      case OP.STM:
        this.left = left;
        this.storeMany((op >> 8) & 7, op & 0xff);
        left = this.left;
        break;
      case OP.LDM:
        this.left = left;
        this.loadMany((op >> 8) & 7, op & 0xff);
        left = this.left;
        break;
      case OP.REV:
        value = r[(op >> 3) & 7];
        r[op & 7] = (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
        break;
      case OP.REV16:
        value = r[(op >> 3) & 7];
        r[op & 7] = ((value & 0xff00ff) << 8) | ((value >>> 8) & 0xff00ff);
        break;
      case OP.REVSH:
        value = r[(op >> 3) & 7];
        r[op & 7] = (((value << 8) | ((value >>> 8) & 0xff)) << 16) >> 16;
        break;
      case OP.BEQ: if (r[NZ] === 0) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BNE: if (r[NZ] !== 0) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BCS: if (r[CARRY]) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BCC: if (!r[CARRY]) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BMI: if (r[NZ] < 0) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BPL: if (r[NZ] >= 0) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BVS: if (r[OVERFLOW]) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BVC: if (!r[OVERFLOW]) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BHI: if (r[CARRY] && r[NZ] !== 0) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BLS: if (!r[CARRY] || r[NZ] === 0) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BGE: if (r[NZ] >>> 31 === r[OVERFLOW]) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BLT: if (r[NZ] >>> 31 !== r[OVERFLOW]) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BGT: if (r[NZ] !== 0 && r[NZ] >>> 31 === r[OVERFLOW]) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.BLE: if (r[NZ] === 0 || r[NZ] >>> 31 !== r[OVERFLOW]) { pc += 2 + ((op << 24) >> 23); left--; } break;
      case OP.B:
        pc += 2 + ((op << 21) >> 20);
        left--;
        break;
      case OP.WIDE:
        r[PC] = pc;
        this.left = left;
        this.wide(op, this.fetchAny(pc));
        left = this.left;
        pc = r[PC];
        break;
      case OP.NOP:
        break;
      default:
        r[PC] = pc;
        this.left = left;
        this.rare(decoded[op], op);
        left = this.left;
        pc = r[PC];
    }
  }
  r[PC] = pc;
  this.left = left;
}

// The engine makes a jump table of literal numbers only, so they are put in place of the names
const constants = { decoded, CARRY, LR, NZ, OVERFLOW, PC, SP };
const source = written.toString().replace(/OP\.(\w+)/g, (_, name) => OP[name]);
export const execute = new Function(...Object.keys(constants), `return ${source}`)(...Object.values(constants));
