/**
 * A connection to a broker that keeps its streams in memory and loses requests and answers on
 * command, on simulated time. For what a real broker would do only by bad luck.
 */
import { assert, type StreamVersion, streamVersion } from '@sagalog/kernel'
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { openConnection } from '@sagalog/client'
import {
  type Answer,
  channelPair,
  type Command,
  commit,
  createTopic,
  nothing,
  readStream,
  requestPayload,
  ResponseCode,
  responseOf,
} from '@sagalog/protocol'
import { EventStoreError } from '../src/errors.js'
import { inMemoryEvents, meets } from '../src/in-memory.js'

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

  /** Takes all appends of a commit or none; each sees those before it. */
  async function applied(command: Command): Promise<Answer<unknown>> {
    const { appends } = requestPayload(commit, command)
    const heads = new Map<string, StreamVersion>()
    for (const { category, stream, expected, events: drafts } of appends) {
      const key = `${category}/${stream}`
      const page = { category, stream, fromVersion: streamVersion(1), maxEvents: 1 }
      const actual = heads.get(key) ?? (await events.readPage(page)).version
      if (!meets(expected, actual)) {
        const refused = { reason: 'version-conflict', category, stream, actual }
        return success({ refused })
      }
      heads.set(key, streamVersion(actual + drafts.length))
    }
    const results = await Promise.all(appends.map((append) => events.append(append)))
    const versions = results.map((result) => ('appended' in result ? result.appended : 0))
    return success({ committed: { versions } })
  }

  async function answer(command: Command): Promise<Answer<unknown>> {
    if (command.code === createTopic.code) {
      await events.ensureCategory(requestPayload(createTopic, command).topic, { queues: 1 })
      return success(nothing)
    }
    if (command.code === readStream.code) {
      counts.reads += 1
      const request = requestPayload(readStream, command)
      asked.push(request.fromVersion)
      const fromVersion = streamVersion(Math.max(1, request.fromVersion))
      return success(await events.readPage({ ...request, fromVersion }))
    }
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
