/**
 * A connection to a broker that keeps its streams in memory and loses requests and answers on
 * command, on simulated time. For what a real broker would do only by bad luck.
 */
import { assert, streamVersion } from '@sagalog/kernel'
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { openConnection } from '@sagalog/client'
import {
  type Answer,
  channelPair,
  type Command,
  commit,
  createTopic,
  listStreams,
  nothing,
  readEvents,
  readStream,
  requestPayload,
  ResponseCode,
  responseOf,
  topicRoute,
} from '@sagalog/protocol'
import { EventStoreError } from '../src/errors.js'
import type { EventPosition, PageRequest } from '../src/event-store-port.js'
import { inMemoryEvents } from '../src/in-memory.js'

/** What happens to the next commit. */
export type Fate =
  | 'answered'
  | 'lost-before'
  | 'lost-after'
  | 'late'
  | 'overtaken'
  | 'silent-after'
  | 'busy'
  | 'failed'

export function scriptedBroker(seed = 1) {
  const time = simulatedTime(seededRandom(seed))
  const clock = time.nodeClock()
  const events = inMemoryEvents(clock)
  /** Taken from the front; later commits are answered. */
  const fates: Fate[] = []
  const counts = { commits: 0, reads: 0 }
  const hooks = { beforeCommit: async (): Promise<void> => {} }
  /** Versions of the events that reads asked for first. */
  const asked: number[] = []
  let lastCommit: Promise<unknown> = Promise.resolve()

  const success = (payload: unknown): Answer<unknown> => ({ code: ResponseCode.SUCCESS, payload })

  function committed(command: Command): Promise<Answer<unknown>> {
    const mine = lastCommit.then(hooks.beforeCommit).then(() => applied(command))
    lastCommit = mine.catch(() => undefined)
    return mine
  }

  /** Takes all of a commit or none of it. */
  async function applied(command: Command): Promise<Answer<unknown>> {
    const { appends, closings, key } = requestPayload(commit, command)
    const change = {
      appends,
      ...(closings === undefined ? {} : { closings }),
      ...(key === undefined ? {} : { key }),
    }
    try {
      const result = await events.change(change)
      if ('versions' in result) return success({ committed: result })
      const { category, conflict: actual, stream } = result
      return success({ refused: { reason: 'version-conflict', category, stream, actual } })
    } catch (cause) {
      if (!EventStoreError.is(cause) || cause.code !== 'STREAM_CLOSED') throw cause
      const { category, closed: state, reason: why, stream } = cause.detail
      return success({ refused: { reason: 'stream-closed', category, stream, state, why } })
    }
  }

  async function answer(command: Command): Promise<Answer<unknown>> {
    if (command.code === createTopic.code) {
      const { readQueues: queues, topic } = requestPayload(createTopic, command)
      await events.ensureCategory(topic, { queues })
      return success(nothing)
    }
    if (command.code === topicRoute.code) {
      const { topic } = requestPayload(topicRoute, command)
      return success({ readQueues: await events.queuesOf(topic) })
    }
    if (command.code === readStream.code) {
      counts.reads += 1
      const request = requestPayload(readStream, command) as unknown as PageRequest
      asked.push(request.fromVersion)
      const fromVersion = streamVersion(Math.max(1, request.fromVersion))
      return success(await events.readPage({ ...request, fromVersion }))
    }
    if (command.code === readEvents.code) {
      const { from, suspendMs: waitMs, ...wanted } = requestPayload(readEvents, command)
      // The first position of a broker is 0, that in memory 1.
      const place = Math.max(1, from) as unknown as EventPosition
      return success(await events.readEvents({ ...wanted, waitMs, from: place }))
    }
    if (command.code === listStreams.code)
      return success(await events.listStreams(requestPayload(listStreams, command)))
    return success(nothing)
  }

  const connect = async () => {
    const [near, far] = channelPair<Command>()
    const reply = async (command: Command, answered: Promise<Answer<unknown>>) => {
      const found = await answered.catch((cause: unknown): Answer<unknown> => {
        if (!EventStoreError.is(cause)) throw cause
        return { code: ResponseCode.TOPIC_NOT_EXIST, payload: undefined, remark: cause.message }
      })
      far.send(responseOf(command, found))
    }
    const commitWith = async (fate: Fate, command: Command): Promise<void> => {
      const refusal = (code: number) => Promise.resolve({ code, payload: undefined })
      if (fate === 'answered') return reply(command, committed(command))
      if (fate === 'busy') return reply(command, refusal(ResponseCode.SYSTEM_BUSY))
      if (fate === 'lost-before') return far.close('the request was lost')
      if (fate === 'late') {
        // The answer never comes, and the work is done while the client has long asked again.
        clock.after(10_000, () => void committed(command))
        return
      }
      await committed(command)
      // An earlier attempt that was on its way for long has just arrived.
      if (fate === 'overtaken') return reply(command, committed(command))
      if (fate === 'failed') return reply(command, refusal(ResponseCode.SYSTEM_ERROR))
      if (fate === 'lost-after') far.close('the answer was lost')
    }
    far.onItem((command) => {
      if (command.code === commit.code) {
        counts.commits += 1
        void commitWith(fates.shift() ?? 'answered', command)
      } else void reply(command, answer(command))
    })
    return near
  }

  const connection = openConnection({
    connect,
    ports: { clock, random: seededRandom(seed).fork('connection') },
  })

  /** Lets the world go on until `work` has ended. */
  async function run<A>(work: Promise<A>): Promise<A> {
    let isDone = false
    const ended = (): void => {
      isDone = true
    }
    work.then(ended, ended)
    await time.run({ untilMs: time.nowMs() + 600_000, isDone: () => isDone })
    assert(isDone, 'the work ends within ten simulated minutes')
    return await work
  }

  return { asked, connection, counts, events, fates, hooks, run, time }
}
