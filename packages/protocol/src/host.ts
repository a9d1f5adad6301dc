/**
 * Addresses in a stored message and in an offset id: the bytes of the IP, then the port as int32.
 * An IPv4 host has 8 bytes, an IPv6 host 20. Parsed once per connection; messages share the bytes.
 */
import { assert } from '@sagalog/kernel'
import { ipv4Bytes, ipv6Bytes } from './ip.js'

export const HOST_V4_BYTES = 8
export const HOST_V6_BYTES = 20
/** Stands where an address is not known. */
export const NO_HOST: Buffer = Buffer.alloc(HOST_V4_BYTES)

/** The bytes of `ip:port` or `[ip]:port`; NO_HOST when it is none (a name, a pipe). */
export function hostBytes(address: string): Buffer {
  const colon = address.lastIndexOf(':')
  const ip = address.slice(0, Math.max(colon, 0)).replace(/^\[|\]$/g, '')
  const port = Number(address.slice(colon + 1))
  if (!Number.isInteger(port) || port < 0 || port > 65_535) return NO_HOST
  const words = ipv4Bytes(ip) ?? ipv6Bytes(ip)
  if (words === undefined) return NO_HOST
  const bytes = Buffer.allocUnsafe(words.length + 4)
  words.copy(bytes)
  bytes.writeInt32BE(port, words.length)
  return bytes
}

/** `ip:port`, with an IPv6 address in brackets. */
export function hostText(host: Buffer): string {
  assert(host.length === HOST_V4_BYTES || host.length === HOST_V6_BYTES, 'a host has 8 or 20 bytes')
  const port = host.readInt32BE(host.length - 4)
  if (host.length === HOST_V4_BYTES) return `${host.subarray(0, 4).join('.')}:${port}`
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push(host.readUInt16BE(at).toString(16))
  return `[${groups.join(':')}]:${port}`
}
