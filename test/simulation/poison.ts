/** Messages that fail by what they are until somebody has mended the handler. */
export interface Poison {
  readonly attemptsMax: number
  isCured: boolean
  isPoison(id: string): boolean
}

export const poisonOf = (attemptsMax: number): Poison => ({
  attemptsMax,
  isCured: false,
  isPoison(id) {
    let hash = 0x811c_9dc5
    for (let index = 0; index < id.length; index += 1)
      hash = Math.imul(hash ^ id.charCodeAt(index), 0x0100_0193)
    return !this.isCured && (hash >>> 9) % 12 === 0
  },
})
