/** Java's `String.hashCode`: the hash on which RocketMQ's queue choice and tag filters rest. */

/** An int32; `h = 31 * h + unit` over the UTF-16 units, with overflow. */
export function javaHash(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at += 1) hash = (Math.imul(31, hash) + text.charCodeAt(at)) | 0
  return hash
}
