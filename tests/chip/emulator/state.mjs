// Places in the processor's state: registers 0 to 12, these three, and the flags.

export const SP = 13;
export const LR = 14;
export const PC = 15;
export const NZ = 16; // the last result: its sign is flag N, being zero flag Z
export const CARRY = 17; // 0 or 1
export const OVERFLOW = 18; // 0 or 1
