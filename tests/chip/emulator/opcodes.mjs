// All 16-bit codes of ARMv6-M, by "Thumb instruction encoding" of its Architecture Reference Manual:
// bits that must be, bits that may be, name. The first that fits is it.

const encodings = `
00000----------- LSL_IMM
00001----------- LSR_IMM
00010----------- ASR_IMM
0001100--------- ADD_REG
0001101--------- SUB_REG
0001110--------- ADD_IMM3
0001111--------- SUB_IMM3
00100----------- MOV_IMM
00101----------- CMP_IMM
00110----------- ADD_IMM8
00111----------- SUB_IMM8
0100000000------ AND
0100000001------ EOR
0100000010------ LSL_REG
0100000011------ LSR_REG
0100000100------ ASR_REG
0100000101------ ADC
0100000110------ SBC
0100000111------ ROR
0100001000------ TST
0100001001------ RSB
0100001010------ CMP_REG
0100001011------ CMN
0100001100------ ORR
0100001101------ MUL
0100001110------ BIC
0100001111------ MVN
01000100-------- ADD_HIGH
01000101-------- CMP_HIGH
01000110-------- MOV_HIGH
010001110----000 BX
010001111----000 BLX
01001----------- LDR_LITERAL
0101000--------- STR_REG
0101001--------- STRH_REG
0101010--------- STRB_REG
0101011--------- LDRSB
0101100--------- LDR_REG
0101101--------- LDRH_REG
0101110--------- LDRB_REG
0101111--------- LDRSH
01100----------- STR_IMM
01101----------- LDR_IMM
01110----------- STRB_IMM
01111----------- LDRB_IMM
10000----------- STRH_IMM
10001----------- LDRH_IMM
10010----------- STR_SP
10011----------- LDR_SP
10100----------- ADR
10101----------- ADD_SP
101100000------- SP_UP
101100001------- SP_DOWN
1011001000------ SXTH
1011001001------ SXTB
1011001010------ UXTH
1011001011------ UXTB
1011010--------- PUSH
1011011001100010 CPSIE
1011011001110010 CPSID
1011101000------ REV
1011101001------ REV16
1011101011------ REVSH
1011110--------- POP
10111110-------- BKPT
1011111100100000 WFE
1011111100110000 WFI
1011111101000000 SEV
10111111----0000 NOP
11000----------- STM
11001----------- LDM
11010000-------- BEQ
11010001-------- BNE
11010010-------- BCS
11010011-------- BCC
11010100-------- BMI
11010101-------- BPL
11010110-------- BVS
11010111-------- BVC
11011000-------- BHI
11011001-------- BLS
11011010-------- BGE
11011011-------- BLT
11011100-------- BGT
11011101-------- BLE
11011111-------- SVC
11100----------- B
11110----------- WIDE
`.trim().split('\n').map((line) => line.split(' '));

export const OP = Object.fromEntries(encodings.map(([, name], index) => [name, index + 1])); // 0 is undefined
export const decoded = new Uint8Array(0x10000);

for (const [bits, name] of encodings) {
  const mask = parseInt(bits.replace(/[01]/g, '1').replace(/-/g, '0'), 2);
  const wanted = parseInt(bits.replace(/-/g, '0'), 2);
  for (let code = 0; code < decoded.length; code++) {
    if (!decoded[code] && (code & mask) === wanted) decoded[code] = OP[name];
  }
}
