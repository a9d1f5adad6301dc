/** The side of a service: whose command it is, and the way back. */
import { type Topic } from '@sagalog/client'
import { commandOf, forwardedProperties, reply, SagaError, startMessage } from '@sagalog/saga'
import { describe, expect, it } from 'vitest'
import { anOrder, placeOrder, placeOrderInLane } from './orders.js'

const properties = {
  'sagalog.saga.name': 'place-order',
  'sagalog.saga.id': 'o1',
  'sagalog.saga.step': 'stock',
  'sagalog.saga.action': 'run',
  'sagalog.saga.lane': 'c1',
  'sagalog.saga.reply-to': 'saga-place-order',
  other: 'x',
}

const codeOf = (run: () => unknown): unknown => {
  try {
    run()
  } catch (thrown) {
    return SagaError.is(thrown) ? thrown.code : thrown
  }
  return 'nothing thrown'
}

describe('a participant', () => {
  it('reads whose command a message is', () => {
    expect(commandOf({ properties })).toEqual({
      saga: 'place-order',
      sagaId: 'o1',
      step: 'stock',
      key: 'o1/stock',
      action: 'run',
      laneKey: 'c1',
      replyTo: 'saga-place-order',
    })
    expect(codeOf(() => commandOf({ properties: {} }))).toBe('NOT_A_COMMAND')
    const { other, ...own } = properties
    expect(forwardedProperties({ properties })).toEqual(own)
    expect(other).toBe('x')
  })

  it('answers in its own commit, into the queue of the saga', () => {
    const sent: unknown[] = []
    const tx = {
      send: <A>(to: Topic<A>, body: A, options?: object) =>
        void sent.push([to.name, to.decode(to.encode(body)), options]),
    }
    reply(tx, { properties }, { done: { left: 3 } })
    reply(tx, { properties }, { refused: 'no' })
    reply(tx, { properties }, { undone: true })
    const way = { shardingKey: 'c1' }
    const body = (value: object): object => ({
      _tag: 'Right',
      right: { sagaId: 'o1', step: 'stock', ...value },
    })
    expect(sent).toEqual([
      ['saga-place-order', body({ kind: 'done', result: { left: 3 } }), way],
      ['saga-place-order', body({ kind: 'refused', refusal: 'no' }), way],
      ['saga-place-order', body({ kind: 'undone' }), way],
    ])
  })
})

describe('a start', () => {
  it('is sharded by its lane, or by its id', () => {
    expect(startMessage(placeOrder, 'o1', anOrder(1)).shardingKey).toBe('o1')
    const { body, shardingKey, topic } = startMessage(placeOrderInLane, 'o1', anOrder(1))
    expect([topic.name, shardingKey]).toEqual(['saga-place-order-lane', 'c1'])
    expect(body).toMatchObject({ kind: 'start', lane: { key: 'c1', place: 1 } })
  })

  it('is refused before it leaves when it could not be run', () => {
    expect(codeOf(() => startMessage(placeOrder, '', anOrder(1)))).toBe('ID_INVALID')
    expect(codeOf(() => startMessage(placeOrder, 'a\u0001b', anOrder(1)))).toBe('ID_INVALID')
    const odd = anOrder(1, { place: 0 })
    expect(codeOf(() => startMessage(placeOrderInLane, 'o1', odd))).toBe('LANE_INVALID')
    const wrong = { ...anOrder(1), cents: '1' as unknown as number }
    expect(codeOf(() => startMessage(placeOrder, 'o1', wrong))).toBe('INPUT_INVALID')
  })
})
