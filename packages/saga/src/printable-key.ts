/** What ids and keys of sagas look like: they travel in properties of messages. */

export const KEY_CHARS_MAX = 200
// Properties end at control characters.
const PRINTABLE = /^[^\p{Cc}\p{Cs}]+$/u

/** Why `key` cannot be one, as a part of a sentence; undefined when it can. */
export function keyProblem(key: string): string | undefined {
  if (key.length === 0) return 'it is empty'
  if (key.length > KEY_CHARS_MAX) return `it is longer than ${KEY_CHARS_MAX} characters`
  return PRINTABLE.test(key) ? undefined : 'it has characters that cannot be printed'
}
