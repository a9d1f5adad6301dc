/**
 * The requests that wait for a reply, or for a connection to be sent on. It owns their numbers and
 * their deadlines; one planned sweep serves all deadlines, so a request costs no timer of its own.
 *
 * Invariants: while any request is here, a sweep is planned at or before the earliest deadline,
 * give or take `SWEEP_EVERY_MS`. What was sent is given up only in a later turn of the event loop
 * than the one that saw its deadline pass: after a pause, what waited is heard first.
 */
import type { Cancel, Clock } from '@sagalog/kernel'
import type { RequestCodec } from '@sagalog/protocol'
import { SWEEP_EVERY_MS, WAKE_GRACE_MS } from './limits.js'

/** What came back: a refusal by the broker is a reply too. */
export interface Reply<Res> {
  readonly code: number
  readonly remark?: string
  /** Undefined in most replies whose code is not SUCCESS. */
  readonly payload: Res | undefined
}

/** Who waits for the reply to one request: told once, either way. */
export interface Waiting<Res> {
  resolve(reply: Reply<Res>): void
  reject(reason: unknown): void
}

export interface PendingRequest {
  readonly opaque: number
  readonly codec: Pick<RequestCodec<never, unknown>, 'code' | 'name'>
  readonly payload: unknown
  readonly timeoutMs: number
  readonly deadlineMs: number
  /** Invariant: true once it was handed to a channel, which makes its outcome unknown. */
  isSent: boolean
  /** Monotonic milliseconds; set once its deadline was seen to have passed. */
  givenUpAtMs: number | undefined
  readonly waiting: Waiting<unknown>
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

/** When a request is given up, as a sweep sees it that comes `lateMs` after it was planned. */
function endOf(request: PendingRequest, nowMs: number, lateMs: number): number {
  // No answer can be on its way to what was never sent.
  if (request.deadlineMs > nowMs || !request.isSent) return request.deadlineMs
  // So late a sweep means that the process was paused; what it did not hear may wait in a socket.
  const isAwakeAgain = lateMs >= WAKE_GRACE_MS
  if (request.givenUpAtMs === undefined || isAwakeAgain) {
    const graceMs = Math.max(SWEEP_EVERY_MS, Math.min(lateMs, WAKE_GRACE_MS))
    request.givenUpAtMs = nowMs + graceMs
  }
  return request.givenUpAtMs
}

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
    const nowMs = clock.monotonicMs()
    const delayMs = Math.max(SWEEP_EVERY_MS, atMs - nowMs)
    cancelSweep = clock.after(delayMs, () => sweep(nowMs + delayMs))
  }
  function sweep(plannedMs: number): void {
    const nowMs = clock.monotonicMs()
    const lateMs = nowMs - plannedMs
    const overdue: PendingRequest[] = []
    let earliestMs = Number.POSITIVE_INFINITY
    for (const request of byOpaque.values()) {
      const endMs = endOf(request, nowMs, lateMs)
      if (endMs <= nowMs) overdue.push(request)
      else earliestMs = Math.min(earliestMs, endMs)
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
