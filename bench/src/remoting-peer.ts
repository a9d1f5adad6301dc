/**
 * What the peers of the benchmark `remoting` have to do, each with its own client against its own
 * broker, which runs as a process of its own; and how processor time of processes is read.
 */
import { readFileSync } from 'node:fs'

/** What one row measured of one peer. */
export interface Sample {
  readonly operations: number
  readonly elapsedMs: number
  /** Of each operation, or of some thousands of them. */
  readonly latenciesMs: readonly number[]
  /** What the broker was too busy to take, and was tried again. */
  readonly refused?: number
}

export interface StartFigures {
  /** From the start of the processes until the broker takes connections. */
  readonly readyMs: number
  /** Resident memory of the broker's processes before the first request, MiB. */
  readonly idleMib: number
}

export interface RemotingPeer {
  readonly peer: string
  readonly durability: 'sync' | 'os'
  /** Of a peer that takes too long to start to be started anew in each round. */
  readonly start?: StartFigures
  /** So many callers, each of which waits for its reply before it sends again. */
  sends(callers: number, durationMs: number): Promise<Sample>
  /** Messages sent in batches of so many; each caller waits for its reply. */
  batches(callers: number, messages: number, durationMs: number): Promise<Sample>
  /** A new group reads and acknowledges a topic of so many messages, stored beforehand. */
  consume(messages: number): Promise<Sample>
  /** Sends at an even pace; the latency is from the send to the start of the handler. */
  endToEnd(perSecond: number, durationMs: number): Promise<Sample>
  /** Half message, local step that commits, confirmation. */
  transactions(callers: number, durationMs: number): Promise<Sample>
  /** Processor milliseconds so far: of the client, and of the broker's processes. */
  cpuMs(): { readonly client: number; readonly broker: number }
  /** Replies that left before their record was safe; 0 for a peer that keeps no account. */
  earlyReplies(): Promise<number>
  close(): Promise<void>
}

/** Linux counts processor time in hundredths of a second, whatever the kernel's own tick. */
const TICK_MS = 10

/** User and system time of a process; 0 where there is no /proc, or no such process any more. */
export function processorMs(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program stands in brackets and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return 0
  }
}

/** Resident memory of a process, MiB; 0 where there is no /proc. */
export function residentMib(pid: number | undefined): number {
  try {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Number(found?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}
