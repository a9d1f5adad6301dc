/** Single commits: what stands in them together, and what a hiccup leaves behind. */
import { topic } from '@sagalog/client'
import { type InboxMessage, remote, saga, type SagaEvent } from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import type { Option } from 'fp-ts/lib/Option.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { sagasOfKey } from '../src/business-keys.js'
import { memoryWorld } from './memory-world.js'
import {
  anOrder,
  OutOfStock,
  placeOrder,
  placeOrderInLane,
  Reserved,
  StockCommands,
} from './orders.js'

const sagaId = 'o1'
const start = (order = 1): InboxMessage => ({
  kind: 'start',
  sagaId: `o${order}`,
  input: anOrder(order),
  lane: undefined,
  parent: undefined,
})
const inLane = (order: number, sagaName = `o${order}`): InboxMessage => ({
  kind: 'start',
  sagaId: sagaName,
  input: anOrder(order),
  lane: { key: 'c1', place: order },
  parent: undefined,
})
const done = (step: string, result: unknown, id = sagaId): InboxMessage => ({
  kind: 'done',
  sagaId: id,
  step,
  result,
})
const refused = (id: string): InboxMessage => ({
  kind: 'refused',
  sagaId: id,
  step: 'stock',
  refusal: { tag: 'out-of-stock' },
})
const go = (step: string, attempt?: number): InboxMessage => ({
  kind: 'continue',
  sagaId,
  step,
  attempt,
  more: undefined,
})
const types = (events: readonly SagaEvent[]): readonly string[] =>
  events.map(({ type, data }) => ('step' in data ? `${type} ${data.step}` : type))

const Notes = topic('notes', t.string)
const failing = (): never => {
  throw new Error('no route to host')
}

describe('a commit', () => {
  it('registers the step and sends its command, for the saga that it belongs to', async () => {
    const world = await memoryWorld(placeOrder)
    const { sent, appended } = await world.handle(start())
    expect(appended).toEqual(['saga-place-order-state/o1'])
    expect(sent).toEqual([
      {
        topic: 'stock-commands',
        body: { order: 1, action: 'reserve' },
        shardingKey: 'o1',
        properties: {
          'sagalog.saga.name': 'place-order',
          'sagalog.saga.id': 'o1',
          'sagalog.saga.step': 'stock',
          'sagalog.saga.action': 'run',
          'sagalog.saga.lane': 'o1',
          'sagalog.saga.reply-to': 'saga-place-order',
        },
      },
    ])
    const second = await world.handle(start())
    expect(second).toMatchObject({ sent: [], appended: [], isEffective: false })
  })

  it('ends the saga together with what its last step put into it', async () => {
    const world = await memoryWorld(placeOrder)
    await world.handle(start())
    const { timers } = await world.handle(done('stock', { left: 3 }))
    expect(timers).toEqual(['place-order/o1/payment'])
    const last = await world.handle(done('payment', { receipt: 'r1' }))
    expect(last.cancelled).toEqual(timers)
    expect(last.sent).toMatchObject([{ topic: 'confirmations', shardingKey: 'r1' }])
    expect(types(await world.events(sagaId)).slice(-4)).toEqual([
      'StepDone payment',
      'StepStarted confirm',
      'StepDone confirm',
      'Completed',
    ])
  })

  it('ends one saga of a lane and starts the next, over three streams', async () => {
    const world = await memoryWorld(placeOrderInLane)
    expect((await world.handle(inLane(2))).sent).toEqual([])
    const first = await world.handle(inLane(1))
    expect(first.sent).toMatchObject([{ shardingKey: 'c1' }])
    expect((await world.handle(inLane(2))).isEffective).toBe(false)
    const { appended, sent, changes } = await world.handle(refused('o1'))
    expect(appended).toEqual([
      'saga-place-order-lane-state/o1',
      'saga-place-order-lane-state/o2',
      'saga-place-order-lane-lane/c1',
    ])
    expect(sent).toMatchObject([{ topic: 'stock-commands', body: { order: 2 } }])
    expect(changes.map(({ sagaId: id, after }) => [id, after.phase])).toEqual([
      ['o1', 'compensated'],
      ['o2', 'running'],
    ])
  })

  it('that starts or ends a saga says so under its business key too', async () => {
    const keyed = saga('keyed', 1, t.type({ order: t.string }), {
      businessKey: ({ order }) => order,
    })
      .signal('approve', { codec: t.boolean })
      .end()
    const world = await memoryWorld(keyed)
    const begin: InboxMessage = { ...start(), input: { order: 'A 7' } } as InboxMessage
    const first = await world.handle(begin)
    expect(first.appended).toEqual(['saga-keyed-keys/A 7', 'saga-keyed-state/o1'])
    expect(await sagasOfKey(world.store, keyed, 'A 7')).toEqual([{ sagaId, shardingKey: 'o1' }])
    expect((await world.handle(begin)).appended).toEqual([])
    const last = await world.handle({ kind: 'signal', sagaId, signal: 'approve', value: true })
    expect(last.appended).toEqual(['saga-keyed-keys/A 7', 'saga-keyed-state/o1'])
    expect(await sagasOfKey(world.store, keyed, 'A 7')).toEqual([])
    // A key that nobody can use parks what a child or a clock has started.
    const bad = await world.handle({ ...begin, sagaId: 'o2', input: { order: '' } } as InboxMessage)
    expect(bad.changes.map(({ after }) => after.parked)).toEqual([
      expect.stringContaining('the business key can be used: it is empty'),
    ])
  })

  it('parks a saga whose place was taken', async () => {
    const world = await memoryWorld(placeOrderInLane)
    await world.handle(inLane(1))
    const { changes, sent } = await world.handle(inLane(1, 'other'))
    expect(sent).toEqual([])
    expect(changes[0]?.after.parked).toContain('place 1 of lane c1')
  })
})

describe('a local step', () => {
  interface Log {
    readonly calls: string[]
    outcome: () => E.Either<string, string>
  }
  const localSaga = (log: Log) => {
    const step = (name: string, outcome: () => E.Either<string, string>) => ({
      out: t.string,
      retry: { times: 3 },
      run: (_: unknown, m: { tx: { send(to: typeof Notes, body: string): void } }) => async () => {
        log.calls.push(`run ${name}`)
        m.tx.send(Notes, name)
        return outcome()
      },
      undo: (_: unknown, result: Option<string>) => async () => {
        log.calls.push(`undo ${name} ${result._tag}`)
        return E.right(undefined)
      },
    })
    return saga('local', 1, t.unknown)
      .step(
        'a',
        step('a', () => E.right('A')),
      )
      .step(
        'b',
        step('b', () => log.outcome()),
      )
      .then('c', { out: t.string, run: () => TE.right('C') })
      .end()
  }

  it('is registered in a commit before it runs', async () => {
    const log: Log = { calls: [], outcome: () => E.right('B') }
    const world = await memoryWorld(localSaga(log))
    const { sent } = await world.handle(start())
    expect(log.calls).toEqual([])
    expect(sent).toMatchObject([{ topic: 'saga-local', body: { kind: 'continue', step: 'a' } }])
    const commits = await world.settle(go('a'))
    expect(log.calls).toEqual(['run a', 'run b'])
    expect(commits.flatMap(({ sent: all }) => all.map(({ body }) => body))).toContain('a')
    expect(types(await world.events(sagaId)).at(-1)).toBe('Completed')
  })

  it('that follows a remote one runs only after its own registration is durable', async () => {
    let calls = 0
    const mixed = saga('mixed', 1, t.unknown)
      .step(
        'ask',
        remote({
          to: StockCommands,
          out: Reserved,
          refusal: OutOfStock,
          run: () => ({ order: 1, action: 'reserve' }),
          undo: () => ({ order: 1, action: 'release' }),
        }),
      )
      .step('a', {
        out: t.string,
        run: () => async () => {
          calls += 1
          return E.right('A')
        },
        undo: () => TE.right(undefined),
      })
      .end()
    const world = await memoryWorld(mixed)
    await world.handle(start())
    await world.handle(done('ask', { left: 1 }))
    expect(calls).toBe(0)
    await world.handle(go('a'))
    expect(calls).toBe(1)
  })

  it('that is refused puts nothing into the commit; those before it are undone', async () => {
    const log: Log = { calls: [], outcome: () => E.left('no') }
    const world = await memoryWorld(localSaga(log))
    const commits = await world.settle(start())
    expect(log.calls).toEqual(['run a', 'run b', 'undo a Some'])
    const notes = commits.flatMap(({ sent }) => sent).filter(({ topic: name }) => name === 'notes')
    expect(notes.map(({ body }) => body)).toEqual(['a'])
    expect(types(await world.events(sagaId)).at(-1)).toBe('Compensated')
  })

  it('is tried again after a throw, later each time, and in doubt with no attempt left', async () => {
    const log: Log = { calls: [], outcome: failing }
    const world = await memoryWorld(localSaga(log))
    await world.handle(start())
    await world.handle(go('a'))
    const first = await world.handle(go('b'))
    expect(first.scheduled).toMatchObject([{ delayMs: 200, message: { step: 'b', attempt: 2 } }])
    expect((await world.handle(go('b', 3))).isEffective).toBe(false)
    const second = await world.handle(go('b', 2))
    expect(second.scheduled).toMatchObject([{ delayMs: 400, message: { step: 'b', attempt: 3 } }])
    expect((await world.handle(go('b', 2))).isEffective).toBe(true)
    await world.settle(go('b', 3))
    expect(log.calls.slice(-3)).toEqual(['run b', 'undo b None', 'undo a Some'])
    expect(types(await world.events(sagaId)).slice(-6)).toEqual([
      'StepExhausted b',
      'UndoStarted b',
      'UndoDone b',
      'UndoStarted a',
      'UndoDone a',
      'Compensated',
    ])
  })

  it('whose command cannot be made parks its saga instead of holding up the queue', async () => {
    const broken = saga('broken', 1, t.unknown)
      .step(
        'a',
        remote({
          to: StockCommands,
          out: Reserved,
          refusal: OutOfStock,
          run: failing,
          undo: failing,
        }),
      )
      .end()
    const world = await memoryWorld(broken)
    const { changes, sent } = await world.handle(start())
    expect(sent).toEqual([])
    expect(changes[0]?.after.parked).toContain('the command of a cannot be made: no route to host')
  })
})
