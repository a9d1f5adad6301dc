/**
 * The other end of the network, by script: it notes what arrives and answers as a test says. It
 * stands for whatever may be out there; what the real broker does is tested with the real broker.
 */
import { queueOffset, leaseEpoch, type Channel, type Commit } from '@sagalog/kernel'
import { seededRandom, settle, simulatedTime, type SimulatedTime } from '@sagalog/kernel/testing'
import {
  channelPair,
  type Command,
  type CommitResponse,
  encodeProperties,
  encodeStoredMessage,
  isOneway,
  type LeaseQueuesRequest,
  type LeaseQueuesResponse,
  type MessageToStore,
  type PullMessageRequest,
  type QueueGrant,
  type RequestCodec,
  requestPayload,
  responseOf,
  ResponseCode,
  storedMessageBytes,
} from '@sagalog/protocol'
import * as protocol from '@sagalog/protocol'
import { type Connection, openConnection } from '../src/index.js'
import { type PausedProcess, pausedProcess } from './paused-process.js'

type Script = (command: Command, peer: ScriptedPeer) => void

export interface ScriptedPeer {
  readonly received: Command[]
  readonly channel: Channel<Command> | undefined
  readonly connects: number
  /** While false, connecting fails. */
  isReachable: boolean
  /** Answers requests of one kind; undefined from the script leaves the request without a reply. */
  on<Req, Res>(
    codec: RequestCodec<Req, Res>,
    answer: (
      request: Req,
      command: Command,
    ) => { code?: number; remark?: string; payload?: Res } | undefined,
  ): void
  push(command: Command): void
  reply(to: Command, payload: unknown): void
  drop(reason?: string): void
  of<Req, Res>(codec: RequestCodec<Req, Res>): Req[]
}

export interface World {
  readonly time: SimulatedTime
  readonly peer: ScriptedPeer
  readonly connection: Connection
  /** The process that has the connection. */
  readonly process: PausedProcess
  /** Runs the world for some milliseconds. */
  pass(ms: number): Promise<void>
}

/** A peer that anybody can connect to, as often as he wants; the newest channel counts. */
export function scriptedPeer(): ScriptedPeer & { connect(): Promise<Channel<Command>> } {
  const scripts = new Map<number, Script>()
  let channel: Channel<Command> | undefined
  const received: Command[] = []
  let connects = 0
  const peer: ScriptedPeer = {
    received,
    isReachable: true,
    get channel() {
      return channel
    },
    get connects() {
      return connects
    },
    on(codec, answer) {
      scripts.set(codec.code, (command) => {
        const given = answer(requestPayload(codec, command), command)
        if (given === undefined || isOneway(command)) return
        const { code = ResponseCode.SUCCESS, payload, remark } = given
        channel?.send(
          responseOf(command, { code, payload, ...(remark === undefined ? {} : { remark }) }),
        )
      })
    },
    push(command) {
      channel?.send(command)
    },
    reply(to, payload) {
      channel?.send(responseOf(to, { code: ResponseCode.SUCCESS, payload }))
    },
    drop(reason = 'the cable was pulled') {
      channel?.close(reason)
      channel = undefined
    },
    of: (codec) =>
      received
        .filter((command) => command.code === codec.code)
        .map((command) => requestPayload(codec, command)),
  }
  return Object.assign(peer, {
    connect(): Promise<Channel<Command>> {
      connects += 1
      if (!peer.isReachable) return Promise.reject(new Error('nobody is there'))
      const [ours, theirs] = channelPair<Command>()
      channel = theirs
      theirs.onItem((command) => {
        received.push(command)
        scripts.get(command.code)?.(command, peer)
      })
      return Promise.resolve(ours)
    },
  })
}

export function world(options: { seed?: number; requestTimeoutMs?: number } = {}): World {
  const random = seededRandom(options.seed ?? 1)
  const time = simulatedTime(random.fork('time'))
  const process = pausedProcess(time.nodeClock())
  const peer = scriptedPeer()
  const connection = openConnection({
    ports: { clock: process.clock, random },
    ...(options.requestTimeoutMs === undefined
      ? {}
      : { requestTimeoutMs: options.requestTimeoutMs }),
    connect: async () => process.hold(await peer.connect()),
  })
  return { time, peer, connection, process, pass: (ms) => passed(time, ms) }
}

/** Runs the world for some milliseconds. */
export async function passed(time: SimulatedTime, ms: number): Promise<void> {
  let isOver = false
  time.plan(ms, () => {
    isOver = true
  })
  await time.run({ untilMs: time.nowMs() + ms + 1, isDone: () => isOver })
  await settle()
}

const HOST = Buffer.from([127, 0, 0, 1, 0, 0, 0x2a, 0x9f])

/** A message as a broker would store it. */
export function storedMessage(
  topic: string,
  offset: number,
  body: unknown,
  properties: Readonly<Record<string, string>> = {},
): Buffer {
  const message: MessageToStore = {
    topic,
    queueId: 0,
    queueOffset: queueOffset(offset),
    flag: 0,
    sysFlag: 0,
    bornTimestampMs: 1,
    bornHost: HOST,
    storeTimestampMs: 2,
    storeHost: HOST,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    properties: encodeProperties(Object.entries({ UNIQ_KEY: `id-${offset}`, ...properties })),
    body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
  }
  const bytes = Buffer.alloc(storedMessageBytes(message))
  encodeStoredMessage(message, bytes, 0, 1_000 + offset)
  return bytes
}

export interface ScriptedQueue {
  /** Stored messages by offset; pulls are answered from here. */
  readonly messages: Buffer[]
  epoch: number
  watermark: number
  settled: number[]
  leaseMs: number
  /** Leases are answered while true. */
  isAnswering: boolean
  isRevoked: boolean
  readonly asked: LeaseQueuesRequest[]
  readonly pulls: PullMessageRequest[]
  readonly commits: Commit[]
  /** What is answered to a commit; undefined leaves it without a reply. */
  onCommit: (commit: Commit, nth: number) => CommitResponse | undefined
  /** Answers pulls that wait. */
  wake(): void
}

export const COMMITTED: CommitResponse = { committed: { versions: [] } }

/** Lets the peer play one queue of one topic. */
export function scriptedQueue(peer: ScriptedPeer, topic: string): ScriptedQueue {
  const waiting = new Map<Command, PullMessageRequest>()
  const queue: ScriptedQueue = {
    messages: [],
    epoch: 1,
    watermark: 0,
    settled: [],
    leaseMs: 9_000,
    isAnswering: true,
    isRevoked: false,
    asked: [],
    pulls: [],
    commits: [],
    onCommit: () => COMMITTED,
    wake() {
      for (const [command, request] of [...waiting]) {
        const found = pulled(request)
        if (found === undefined) continue
        waiting.delete(command)
        peer.reply(command, found)
      }
    },
  }
  const pulled = (request: PullMessageRequest) => {
    const messages = queue.messages.slice(request.queueOffset, request.queueOffset + 8)
    if (messages.length === 0) return undefined
    return {
      nextBeginOffset: queueOffset(request.queueOffset + messages.length),
      minOffset: queueOffset(0),
      maxOffset: queueOffset(queue.messages.length),
      messages,
    }
  }
  peer.on(protocol.leaseQueues, (request) => {
    queue.asked.push(request)
    if (!queue.isAnswering) return undefined
    const isReleased = queue.isRevoked && request.held.length === 0
    const grant: QueueGrant = {
      topic,
      queueId: 0,
      epoch: leaseEpoch(queue.epoch),
      watermark: queueOffset(queue.watermark),
      settled: queue.settled.map(queueOffset),
    }
    const payload: LeaseQueuesResponse = {
      leaseMs: queue.leaseMs,
      grants: isReleased || request.leaving ? [] : [grant],
      revoked: queue.isRevoked && !isReleased ? [{ topic, queueId: 0 }] : [],
    }
    return { payload }
  })
  peer.on(protocol.pullMessage, (request, command) => {
    queue.pulls.push(request)
    if (request.epoch !== queue.epoch) return { code: ResponseCode.STALE_LEASE }
    const payload = pulled(request)
    if (payload === undefined) {
      waiting.set(command, request)
      return undefined
    }
    return { payload }
  })
  peer.on(protocol.commit, (request) => {
    queue.commits.push(request)
    const payload = queue.onCommit(request, queue.commits.length)
    return payload === undefined ? undefined : { payload }
  })
  return queue
}
