/** Randomness, for ids and jitter. A fork is a stream of its own: its draws do not shift others. */

export interface Random {
  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number
  fork(label: string): Random
}

/** A whole number from 0 to `below` - 1. */
export function below(random: Random, bound: number): number {
  return Math.floor((random.uint32() / 0x1_0000_0000) * bound)
}

/** Thirty-two hexadecimal digits. */
export function randomHex(random: Random): string {
  let text = ''
  for (let word = 0; word < 4; word += 1) text += random.uint32().toString(16).padStart(8, '0')
  return text.toUpperCase()
}
