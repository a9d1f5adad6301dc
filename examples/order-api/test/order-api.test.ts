/** Orders over HTTP on a data directory of this machine, and over a restart. */
import { given } from '@sagalog/event-store'
import { modelTest } from '@sagalog/event-store/testing'
import { nodeClock } from '@sagalog/kernel/node'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Sagalog } from 'sagalog'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { orderApp } from '../src/app.js'
import { Order, Orders } from '../src/order.js'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sagalog-order-api-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function served<A>(
  work: (
    ask: (method: 'GET' | 'POST', url: string, body?: object) => Promise<unknown>,
  ) => Promise<A>,
): Promise<A> {
  const sagalog = await Sagalog.open({ dir })
  const app = await orderApp(sagalog.events, nodeClock())
  const ask = async (method: 'GET' | 'POST', url: string, body?: object): Promise<unknown> => {
    const payload = body === undefined ? {} : { payload: body }
    const answer = await app.inject({ method, url, ...payload })
    return [answer.statusCode, answer.json()]
  }
  try {
    return await work(ask)
  } finally {
    await app.close()
    await sagalog.close()
  }
}

test('commands change orders, rows show them, and both outlive a restart', async () => {
  await served(async (ask) => {
    const placed = await ask('POST', '/orders/o-1/Place', { customer: 'ada', cents: 500 })
    expect(placed).toEqual([200, { version: 1, status: 'placed' }])
    const row = { customer: 'ada', cents: 500, status: 'placed' }
    expect(await ask('GET', '/orders/o-1')).toEqual([200, row])
    expect(await ask('POST', '/orders/o-1/Place', { customer: 'ada', cents: 5 })).toEqual([
      409,
      { _tag: 'AlreadyPlaced' },
    ])
    expect(await ask('POST', '/orders/o-1/Place', { customer: 'ada', cents: -5 })).toEqual([
      400,
      { problem: 'no such command' },
    ])
    await ask('POST', '/orders/o-1/Pay', { reference: 'r' })
    await ask('POST', '/orders/o-2/Place', { customer: 'ada', cents: 70 })
    await ask('POST', '/orders/o-2/Cancel', { reason: 'dear' })
  })
  await served(async (ask) => {
    const row = { customer: 'ada', cents: 500, status: 'paid' }
    expect(await ask('GET', '/orders/o-1')).toEqual([200, row])
    expect(await ask('GET', '/orders/o-2')).toEqual([404, { problem: 'no such order' }])
    expect(await ask('GET', '/customers/ada')).toEqual([200, { placed: 2, cents: 570 }])
  })
})

test('the decider keeps its laws and its examples', async () => {
  await modelTest(Order, { seed: 1 })
  const placed = Orders.make.Placed({ customer: 'ada', cents: 5 })
  given(Order, placed)
    .when({ type: 'Pay', data: { reference: 'r' } })
    .then(Orders.make.Paid({ reference: 'r' }))
  given(Order)
    .when({ type: 'Pay', data: { reference: 'r' } })
    .rejectedWith({ _tag: 'NotPayable', status: 'none' })
})
