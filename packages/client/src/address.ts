/**
 * The one text that says where messages go: a directory of this process, or somebody who listens.
 *
 *   sagalog:./data                      a broker in this process, with this directory
 *   rocketmq://host:9876;host:9876      a Sagalog broker, or name servers of a RocketMQ cluster
 *   host:9876;host:9876                 the same
 */
import { ClientError } from './errors.js'

export interface HostPort {
  /** A name or an IP; an IPv6 one without its brackets. */
  readonly host: string
  readonly port: number
}

export type Address =
  | { readonly where: 'embedded'; readonly dir: string }
  | { readonly where: 'remote'; readonly servers: readonly HostPort[] }

const EMBEDDED = 'sagalog:'
const REMOTE = 'rocketmq://'

/**
 * Takes an address apart.
 * @throws ClientError ADDRESS_INVALID, which names the part that is wrong.
 */
export function parseAddress(text: string): Address {
  const wrong = (reason: string): ClientError =>
    new ClientError('ADDRESS_INVALID', { address: text, reason })
  if (text.startsWith(EMBEDDED)) {
    const dir = text.slice(EMBEDDED.length)
    if (dir.trim() === '') throw wrong('no directory follows sagalog:')
    if (dir.startsWith('//'))
      throw wrong('the directory follows sagalog: at once; // is for rocketmq://')
    return { where: 'embedded', dir }
  }
  const scheme = /^([a-zA-Z][\w+.-]*):\/\//.exec(text)?.[1]
  if (scheme !== undefined && !text.startsWith(REMOTE))
    throw wrong(`${scheme}: is not known; there are sagalog: and rocketmq://`)
  const list = text.startsWith(REMOTE) ? text.slice(REMOTE.length) : text
  if (list.trim() === '') throw wrong('no host:port follows rocketmq://')
  if (list.includes(',')) throw wrong('hosts are separated by ; and not by a comma')
  const servers = list.split(';').map((part) => {
    const problem = hostPort(part)
    if (typeof problem === 'string') throw wrong(problem)
    return problem
  })
  return { where: 'remote', servers }
}

/** The part of an address, or what is wrong with it. */
function hostPort(part: string): HostPort | string {
  const quoted = `"${part}"`
  if (part === '') return 'between two ; or at an end stands nothing'
  if (part.includes('/')) return `${quoted} is no host:port; a directory is sagalog:${part}`
  const isBracketed = part.startsWith('[')
  const parts = isBracketed ? /^\[([0-9a-fA-F:.]+)\](?::(.*))?$/ : /^([^:\s]+)(?::([^:]*))?$/
  const [, host, digits] = parts.exec(part) ?? []
  if (host === undefined) {
    if (isBracketed) return `${quoted} has no IPv6 host in its brackets`
    if (/:.*:/.test(part)) return `${quoted} is no host:port; an IPv6 host stands in brackets`
    return `${quoted} has no host`
  }
  if (digits === undefined) return `${quoted} has no port, as in ${part}:9876`
  const port = Number(digits)
  if (!/^\d{1,5}$/.test(digits) || port < 1 || port > 65_535)
    return `the port of ${quoted} is not a number from 1 to 65535`
  return { host, port }
}

/** `host:port`, an IPv6 host in brackets. */
export const hostPortText = ({ host, port }: HostPort): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
