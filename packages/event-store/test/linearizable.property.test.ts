/**
 * Appends with expected versions are linearizable while the power goes and connections break. The
 * checker is held against a search over all orders, on histories that are right and wrong.
 */
import { below, sleep, streamVersion } from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createEventStore } from '../src/atomically.js'
import { EventStoreError } from '../src/errors.js'
import type { EventStore } from '../src/event-store.js'
import { Accounts } from './accounts.js'
import { brokerWorld, expectNoEarlyReplies } from './broker-world.js'
import { checkStream, type Expected, type Operation, searchStream } from './linearizability.js'
import { campaignTimeoutMs, type Count, isFullRun, runSeeds } from './seeds.js'

const STREAMS = ['s0', 's1', 's2']
const CLIENTS = 4
const OPERATIONS = isFullRun ? 2_000 : 240

type Result = Operation['result']

/** Tries one operation; whatever it throws says whether it may have happened. */
async function resultOf(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (thrown) {
    if (!EventStoreError.is(thrown)) throw thrown
    return thrown.state === 'unchanged' ? { kind: 'none' } : { kind: 'unknown' }
  }
}

async function appendTo(
  store: EventStore,
  stream: string,
  {
    expected,
    count,
    id,
    isKeyed,
  }: { expected: Expected; count: number; id: string; isKeyed: boolean },
): Promise<Result> {
  const events = Array.from({ length: count }, () => Accounts.make.Opened({ owner: id }))
  const result = await store.append(Accounts, stream, events, {
    expected: typeof expected === 'number' ? streamVersion(expected) : expected,
    ...(isKeyed ? { idempotencyKey: id } : {}),
  })
  if ('conflict' in result) return { kind: 'conflict', version: result.conflict }
  return { kind: 'appended', version: result.appended }
}

async function play(seed: number, count: Count): Promise<void> {
  const wire = seed % 2 === 0 ? 'memory' : 'bytes'
  const world = await brokerWorld(wire, { seed, segmentBytes: 16 * 1024 })
  const { connect, crash, cut, restate, run, time } = world
  const random = seededRandom(seed).fork('operations')
  const clock = time.nodeClock()
  const history = new Map<string, Operation[]>(STREAMS.map((stream) => [stream, []]))
  const store = createEventStore(connect())
  await run(store.ensureCategory(Accounts, { queues: 2 }))
  const work = { isOver: false, instant: 0 }
  const now = (): number => (work.instant += 1)

  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const mine = createEventStore(connect(), { attemptsMax: 2 })
    const known = new Map<string, number>()
    for (let n = 0; n < OPERATIONS / CLIENTS; n += 1) {
      const stream = STREAMS[below(random, STREAMS.length)] ?? 's0'
      const id = `${client}/${n}`
      const pick = below(random, 10)
      const called = now()
      let append: Operation['append']
      let result: Result
      if (pick === 0) {
        const reading = mine.read(Accounts, stream, { from: (known.get(stream) ?? 0) + 1 })
        result = await resultOf(reading.then(({ version }): Result => ({ kind: 'read', version })))
      } else {
        const near = Math.max(0, (known.get(stream) ?? 0) + below(random, 3) - 1)
        const symbols: Expected[] = ['any', 'exists', 'empty']
        const expected = pick < 8 ? near : (symbols[below(random, 3)] ?? 'any')
        append = { expected, count: 1 + below(random, 3) }
        const isKeyed = below(random, 3) === 0
        result = await resultOf(appendTo(mine, stream, { ...append, id, isKeyed }))
      }
      const answered = result.kind === 'unknown' ? Number.POSITIVE_INFINITY : now()
      if ('version' in result) known.set(stream, result.version)
      count(result.kind)
      history.get(stream)?.push({
        id,
        called,
        answered,
        result,
        ...(append === undefined ? {} : { append }),
      })
      await sleep(clock, below(random, 4))
    }
  })
  const faults = (async () => {
    while (!work.isOver) {
      await sleep(clock, 2 + below(random, 40))
      const pick = below(random, 10)
      if (pick < 2) {
        count('crashes')
        await crash(pick === 0 ? 'power' : 'kill')
      } else if (pick < 6) {
        count('cuts')
        cut()
      } else if (pick === 6) await restate()
    }
  })()
  await run(Promise.all(clients))
  work.isOver = true
  await run(faults)
  for (const [stream, operations] of history) {
    const { events } = await run(store.read(Accounts, stream))
    const owners = events.map((event) => (event.type === 'Opened' ? event.data.owner : ''))
    expect(checkStream(operations, owners), stream).toEqual([])
    count('operations', operations.length)
  }
  expectNoEarlyReplies()
}

it(
  'appends with expected versions are linearizable under crashes',
  async () => {
    await runSeeds(
      {
        file: 'packages/event-store/test/linearizable.property.test.ts',
        of: 'linearizable appends',
        quick: 8,
        full: 500,
        fullS: 85,
        mustReach: { appended: 300, conflict: 200, read: 40, crashes: 5, cuts: 10, unknown: 1 },
      },
      play,
    )
  },
  campaignTimeoutMs,
)

/**
 * Small histories as a real store would make them, with every kind of mistake put in now and then.
 */
const smallHistory = fc.array(
  fc.record({
    thinks: fc.integer({ min: 0, max: 3 }),
    takes: fc.integer({ min: 0, max: 4 }),
    instant: fc.integer({ min: 0, max: 4 }),
    count: fc.integer({ min: 1, max: 2 }),
    expected: fc.constantFrom<Expected>('any', 'empty', 'exists', 0, 1, 2, 3),
    isRead: fc.boolean(),
    isLost: fc.constantFrom(false, false, false, true),
    mistake: fc.constantFrom('none', 'none', 'none', 'none', 'version', 'forgotten', 'early'),
  }),
  { minLength: 1, maxLength: 6 },
)

type Step = typeof smallHistory extends fc.Arbitrary<(infer One)[]> ? One : never

interface Drawn {
  readonly operations: Operation[]
  readonly stream: string[]
}

/** Plays the draws on a perfect register in the order of their instants, then puts mistakes in. */
function draw(given: readonly Step[]): Drawn {
  const stream: string[] = []
  let clock = 0
  const timed = given.map((step, index) => {
    clock += step.thinks
    return { ...step, id: `${index}`, called: clock * 10, answered: (clock + step.takes) * 10 + 5 }
  })
  const at = ({ answered, called, instant }: (typeof timed)[number]): number =>
    called + ((answered - called) * instant) / 4
  const operations = timed
    .toSorted((left, right) => at(left) - at(right))
    .map(({ answered, called, count, expected, id, isLost, isRead, mistake }): Operation => {
      const version = stream.length
      const when = { id, called, answered: isLost && !isRead ? Number.POSITIVE_INFINITY : answered }
      const off = mistake === 'version' ? 1 : 0
      if (isRead) return { ...when, result: { kind: 'read', version: version + off } }
      const append = { expected, count }
      const isTaken =
        expected === 'any' ||
        (expected === 'empty' && version === 0) ||
        (expected === 'exists' && version > 0) ||
        expected === version
      if (isTaken && mistake !== 'forgotten')
        for (let event = 0; event < count; event += 1) stream.push(id)
      if (isLost) return { ...when, append, result: { kind: 'unknown' } }
      const result: Result = isTaken
        ? { kind: 'appended', version: version + count + off }
        : { kind: 'conflict', version: version + off }
      const early = mistake === 'early' ? { called: called + 1, answered: called + 2 } : {}
      return { ...when, ...early, append, result }
    })
  return { operations, stream }
}

describe('the checker', () => {
  it('agrees with a search over all orders', () => {
    const verdicts = { right: 0, wrong: 0 }
    let sure = 0
    fc.assert(
      fc.property(smallHistory, (given) => {
        const { operations, stream } = draw(given)
        const problems = checkStream(operations, stream)
        const isRight = searchStream(operations, stream.length)
        // An append that may have happened is seen in the stream by the one and guessed by the
        // other.
        const isSure = operations.every(({ result }) => result.kind !== 'unknown')
        if (isSure || problems.length === 0) expect(isRight).toBe(problems.length === 0)
        if (isSure) sure += 1
        verdicts[problems.length === 0 ? 'right' : 'wrong'] += 1
      }),
      { numRuns: isFullRun ? 20_000 : 3_000 },
    )
    expect(verdicts.right).toBeGreaterThan(500)
    expect(verdicts.wrong).toBeGreaterThan(500)
    expect(sure).toBeGreaterThan(500)
  })

  const taken = (id: string, called: number, answered: number, version: number): Operation => ({
    id,
    called,
    answered,
    append: { expected: version - 1, count: 1 },
    result: { kind: 'appended', version },
  })
  it.each<[string, Operation[], string[]]>([
    [
      'a stale read',
      [
        taken('a', 1, 2, 1),
        { id: 'r', called: 3, answered: 4, result: { kind: 'read', version: 0 } },
      ],
      ['a'],
    ],
    ['two orders at once', [taken('a', 5, 6, 1), taken('b', 1, 2, 2)], ['a', 'b']],
    ['a lost append', [taken('a', 1, 2, 1)], []],
    [
      'an append made twice',
      [{ ...taken('a', 1, 2, 1), append: { expected: 'any', count: 1 } }],
      ['a', 'a'],
    ],
    ['half an append', [{ ...taken('a', 1, 2, 2), append: { expected: 'any', count: 2 } }], ['a']],
    [
      'a refusal without a reason',
      [
        {
          id: 'c',
          called: 1,
          answered: 2,
          append: { expected: 0, count: 1 },
          result: { kind: 'conflict', version: 0 },
        },
      ],
      [],
    ],
  ])('finds %s', (_, operations, stream) => {
    expect(checkStream(operations, stream)).not.toEqual([])
  })
})
