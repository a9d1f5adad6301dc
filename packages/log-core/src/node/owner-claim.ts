/**
 * What the owner of a directory writes about itself, and what somebody else may conclude from it.
 * Knows no files. The one rule: a claim is dead only when that is certain.
 */

/** Who has a directory. Empty where the system does not tell. */
export interface Owner {
  readonly pid: number
  /** When the process started, in the system's own units since the boot: pids are used again. */
  readonly started: string
  /** Another one after each start of the system. */
  readonly boot: string
  /** In which a pid means anything: containers count their own. */
  readonly namespace: string
  readonly host: string
}

export interface Claim extends Owner {
  /** Names this claim and no other, and the socket beside it. */
  readonly token: string
}

export const encodeClaim = (claim: Claim): string => `${JSON.stringify(claim)}\n`

/** Undefined for what is no claim. */
export function decodeClaim(text: string): Claim | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { pid, started, boot, namespace, host, token } = value as Record<string, unknown>
  const texts = [started, boot, namespace, host, token]
  if (!Number.isInteger(pid) || texts.some((part) => typeof part !== 'string')) return undefined
  // The token is a part of a file's name.
  return /^[\w-]+$/.test(String(token)) ? (value as Claim) : undefined
}

/** Who has the directory, for people. */
export function ownerText(claim: Claim | undefined, here: Owner): string {
  if (claim === undefined) return 'another process'
  const { pid, host, namespace } = claim
  if (host !== here.host) return `process ${pid} on ${host}`
  return namespace === here.namespace ? `process ${pid}` : `process ${pid} of another container`
}

/** What can be found out about a claim from here. */
export interface Evidence {
  /** Its socket in the directory: somebody listens, nobody does, or it is not there. */
  readonly socket: 'listens' | 'refuses' | 'missing'
  /** When the process with its pid started, as `started`; undefined when there is none. */
  readonly startedNow: string | undefined
  /** False when another machine may have the file system mounted too. */
  readonly isLocalDisk: boolean
}

/**
 * On another boot of this machine the owner is dead; but the boot may be another machine's, when
 * the file system is shared over a network. On this boot its socket tells, from every container;
 * where a file system has no sockets the pid does, within its own namespace.
 */
export function judgeClaim(
  claim: Claim,
  here: Owner,
  { socket, startedNow, isLocalDisk }: Evidence,
): 'alive' | 'dead' | 'unknown' {
  if (claim.boot !== here.boot) return isLocalDisk ? 'dead' : 'unknown'
  if (socket !== 'missing') return socket === 'listens' ? 'alive' : 'dead'
  if (claim.namespace !== here.namespace || claim.namespace === '') return 'unknown'
  if (startedNow === undefined) return 'dead'
  // A process that does not tell its start may be the one.
  return startedNow === claim.started || startedNow === '' ? 'alive' : 'dead'
}

/** File systems that one kernel at a time has mounted, by their number on Linux. */
const LOCAL_DISKS: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x5846_5342, // XFS
  0x9123_683e, // Btrfs
  0xf2f5_2010, // F2FS
  0x2fc1_2fc1, // ZFS
  0xca45_1a4e, // bcachefs
  0x0102_1994, // tmpfs
  0x8584_58f6, // ramfs
  0x794c_7630, // overlayfs
  0x2011_bab0, // exFAT
  0x4d44, // FAT
])

export const isLocalDisk = (type: number): boolean => LOCAL_DISKS.has(type)
