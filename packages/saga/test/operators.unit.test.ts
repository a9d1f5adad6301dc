/** People who help a saga on, async functions, and versions of a definition. */
import { type InboxMessage, Refuse, saga, sagaAsync, type SagaEvent } from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { memoryWorld, type MemoryWorld } from './memory-world.js'

const sagaId = 's1'
const start = (input: unknown = 1): InboxMessage => ({
  kind: 'start',
  sagaId,
  input,
  lane: undefined,
  parent: undefined,
})
const operator = (
  action: 'retry' | 'skip' | 'resolve',
  step?: string,
  result: unknown = null,
): InboxMessage => ({ kind: 'operator', sagaId, action, step, result, by: 'ada' })
const history = async (world: MemoryWorld): Promise<readonly string[]> =>
  (await world.events(sagaId)).map(({ type, data }: SagaEvent) =>
    'step' in data ? `${type} ${data.step}` : type,
  )
const nothing = () => TE.right(undefined)

describe('a person', () => {
  const stuck = (log: string[], outcome: () => E.Either<never, void>) =>
    saga('stuck', 1, t.number)
      .step('a', {
        out: t.string,
        retry: { times: 1 },
        run: () => TE.right('x'),
        undo: () => async () => {
          log.push('undo')
          return outcome()
        },
      })
      .step('b', { out: t.null, run: () => TE.left('no'), undo: nothing })
      .end()
  const failing = (): never => {
    throw new Error('no route')
  }

  it('sees a failed undo, and lets it try again', async () => {
    const log: string[] = []
    let outcome: () => E.Either<never, void> = failing
    const world = await memoryWorld(stuck(log, () => outcome()))
    const commits = await world.settle(start())
    expect((await history(world)).at(-1)).toBe('Parked')
    expect(commits.length).toBeGreaterThan(2)
    outcome = () => E.right(undefined)
    await world.settle(operator('retry'))
    expect((await history(world)).slice(-4)).toEqual([
      'Resumed',
      'UndoResent a',
      'UndoDone a',
      'Compensated',
    ])
  })

  it('takes an undo as over, or gives a saga up', async () => {
    const world = await memoryWorld(stuck([], failing))
    await world.settle(start())
    await world.handle(operator('skip'))
    expect((await history(world)).slice(-3)).toEqual(['Resumed', 'UndoSkipped a', 'Compensated'])
  })

  it('says what a step after the pivot came to', async () => {
    const after = saga('after', 1, t.number)
      .pivot('p', { out: t.string, retry: { times: 1 }, run: failing })
      .then('q', { out: t.string, run: (c) => TE.right(c.p) })
      .end()
    const world = await memoryWorld(after)
    await world.settle(start())
    expect((await history(world)).at(-1)).toBe('Parked')
    await world.handle(operator('resolve', 'p', 5))
    expect((await history(world)).at(-1)).toBe('Parked')
    await world.settle(operator('resolve', 'p', 'by hand'))
    expect((await world.events(sagaId)).at(-2)).toMatchObject({ data: { result: 'by hand' } })
  })
})

describe('async functions', () => {
  const readInput = (value: unknown): { cents: number } => {
    if (typeof value === 'object' && value !== null && 'cents' in value)
      return { cents: Number(value.cents) }
    throw new Error('no cents')
  }
  const undos: unknown[] = []
  const pay = sagaAsync('pay', 1, readInput)
    .step('hold', {
      run: async (c) => ({ held: c.input.cents }),
      undo: async (c, before) => void undos.push([c.input.cents, before?.held]),
    })
    .pivot('take', {
      run: async (c) => {
        if (c.hold.held > 100) throw new Refuse('too-much', { limit: 100 })
        return c.hold.held
      },
    })
    .then('note', {
      run: async (c) => {
        if (c.take === 13) throw new Refuse('superstitious')
        return `took ${c.take}`
      },
    })
    .end()

  it('complete, and are refused by a throw', async () => {
    const world = await memoryWorld(pay)
    await world.settle(start({ cents: 5 }))
    expect((await world.events(sagaId)).at(-2)).toMatchObject({ data: { result: 'took 5' } })
    const refused = await memoryWorld(pay)
    await refused.settle(start({ cents: 500 }))
    expect((await refused.events(sagaId)).at(-1)).toMatchObject({
      data: { reason: { refusal: { tag: 'too-much', details: { limit: 100 } } } },
    })
    expect(undos).toEqual([[500, 500]])
  })

  it('a refusal after the pivot waits for a person: nothing can be undone', async () => {
    const world = await memoryWorld(pay)
    await world.settle(start({ cents: 13 }))
    expect((await world.events(sagaId)).at(-1)).toMatchObject({
      type: 'Parked',
      data: { reason: expect.stringContaining('refused after the pivot') },
    })
  })

  it('an input that does not validate waits too, with the reason', async () => {
    const world = await memoryWorld(pay)
    await world.settle(start('nothing'))
    expect((await history(world)).at(-1)).toBe('Parked')
  })
})

describe('versions', () => {
  const old = saga('moving', 1, t.number).signal('go', { codec: t.string }).end()
  const next = saga('moving', 2, t.type({ n: t.number }), {
    from: { 1: ({ input, results }) => ({ input: { n: input }, results }) },
  })
    .signal('go', { codec: t.string })
    .then('new', { out: t.string, run: (c) => TE.right(`${c.go} ${c.input.n}`) })
    .end()

  it('a running saga is carried over when it hears something', async () => {
    const before = await memoryWorld(old)
    await before.handle(start(4))
    const world = await memoryWorld(next, before.store)
    await world.settle({ kind: 'signal', sagaId, signal: 'go', value: 'now' })
    expect((await history(world)).slice(-6)).toEqual([
      'Migrated',
      'SignalReceived',
      'StepDone go',
      'StepStarted new',
      'StepDone new',
      'Completed',
    ])
    expect((await world.events(sagaId)).at(-2)).toMatchObject({ data: { result: 'now 4' } })
  })
})
