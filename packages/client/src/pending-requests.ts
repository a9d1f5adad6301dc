/**
 * The requests that wait for a reply, or for a connection to be sent on. It owns their numbers and
 * their deadlines; one planned sweep serves all deadlines, so a request costs no timer of its own.
 *
 * Invariant: while any request is here, a sweep is planned at or before the earliest deadline, give
 * or take `SWEEP_EVERY_MS`.
 */
import type { Cancel, Clock } from '@sagalog/kernel'
import type { RequestCodec } from '@sagalog/protocol'
import { SWEEP_EVERY_MS } from './limits.js'

/** What came back: a refusal by the broker is a reply too. */
export interface Reply<Res> {
  readonly code: number
  readonly remark?: string
  /** Undefined in most replies whose code is not SUCCESS. */
  readonly payload: Res | undefined
}

export interface PendingRequest {
  readonly opaque: number
  readonly codec: Pick<RequestCodec<never, unknown>, 'code' | 'name'>
  readonly payload: unknown
  readonly timeoutMs: number
  readonly deadlineMs: number
  /** Invariant: true once it was handed to a channel, which makes its outcome unknown. */
  isSent: boolean
  readonly resolve: (reply: Reply<unknown>) => void
  readonly reject: (reason: unknown) => void
}

export interface PendingRequests {
  readonly size: number
  /** A number that no pending request has. */
  nextOpaque(): number
  add(request: PendingRequest): void
  /** Takes a request out; undefined when it was answered or given up before. */
  take(opaque: number): PendingRequest | undefined
  /** Takes all of them out, in the order in which they were made, and plans no more sweeps. */
  clear(): readonly PendingRequest[]
  /** In the order in which they were made. */
  all(): readonly PendingRequest[]
}

const OPAQUE_MAX = 0x7fff_ffff

/** `expire` is told of each request taken out because its deadline has passed. */
export function createPendingRequests(
  clock: Clock,
  expire: (request: PendingRequest) => void,
): PendingRequests {
  const byOpaque = new Map<number, PendingRequest>()
  let lastOpaque = 0
  let sweepAtMs = Number.POSITIVE_INFINITY
  let cancelSweep: Cancel = () => {}

  function planSweep(atMs: number): void {
    cancelSweep()
    sweepAtMs = atMs
    cancelSweep = clock.after(Math.max(SWEEP_EVERY_MS, atMs - clock.monotonicMs()), sweep)
  }
  function sweep(): void {
    const nowMs = clock.monotonicMs()
    const overdue: PendingRequest[] = []
    let earliestMs = Number.POSITIVE_INFINITY
    for (const request of byOpaque.values()) {
      if (request.deadlineMs <= nowMs) overdue.push(request)
      else earliestMs = Math.min(earliestMs, request.deadlineMs)
    }
    sweepAtMs = Number.POSITIVE_INFINITY
    if (earliestMs !== Number.POSITIVE_INFINITY) planSweep(earliestMs)
    for (const request of overdue) {
      if (byOpaque.delete(request.opaque)) expire(request)
    }
  }

  return {
    get size() {
      return byOpaque.size
    },
    nextOpaque() {
      do lastOpaque = lastOpaque === OPAQUE_MAX ? 1 : lastOpaque + 1
      while (byOpaque.has(lastOpaque))
      return lastOpaque
    },
    add(request) {
      byOpaque.set(request.opaque, request)
      if (request.deadlineMs < sweepAtMs) planSweep(request.deadlineMs)
    },
    take(opaque) {
      const request = byOpaque.get(opaque)
      byOpaque.delete(opaque)
      return request
    },
    clear() {
      const requests = [...byOpaque.values()]
      byOpaque.clear()
      cancelSweep()
      sweepAtMs = Number.POSITIVE_INFINITY
      return requests
    },
    all: () => [...byOpaque.values()],
  }
}
