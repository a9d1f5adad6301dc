/** IP addresses from text to bytes; pure, so that no network module is needed. */

/** Four bytes, or undefined when `text` is no IPv4 address. */
export function ipv4Bytes(text: string): Buffer | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const bytes = Buffer.allocUnsafe(4)
  for (const [index, part] of parts.entries()) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined
    bytes[index] = Number(part)
  }
  return bytes
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  for (const part of text.split(':')) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined
    groups.push(Number.parseInt(part, 16))
  }
  return groups
}

/** Sixteen bytes (four for an IPv4 address mapped into IPv6), or undefined. */
export function ipv6Bytes(text: string): Buffer | undefined {
  const mapped = /^::ffff:([\d.]+)$/i.exec(text)?.[1]
  if (mapped !== undefined) return ipv4Bytes(mapped)
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = groupsOf(halves[0] ?? '')
  const tail = groupsOf(halves[1] ?? '')
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const bytes = Buffer.alloc(16)
  for (const [index, group] of head.entries()) bytes.writeUInt16BE(group, index * 2)
  for (const [index, group] of tail.entries())
    bytes.writeUInt16BE(group, (8 - tail.length + index) * 2)
  return bytes
}
