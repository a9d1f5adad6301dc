import { expect, test } from 'vitest'
import { createLateCharges, type LateCharge } from '../src/late-charges.js'

const charge = (order: number): LateCharge => ({ body: { order } }) as LateCharge
const { signal } = new AbortController()

test('a charge is in hand until it is forgotten, a newer delivery of it stays', async () => {
  const late = createLateCharges()
  const [first, second] = [charge(98), charge(98)]
  const taken = late.take(98, signal)
  late.keep(first)
  expect(await taken).toBe(first)
  expect(await late.take(98, signal)).toBe(first)
  late.keep(second)
  late.forget(first)
  expect(await late.take(98, signal)).toBe(second)
  late.forget(second)
  const abort = new AbortController()
  const waiting = late.take(98, abort.signal)
  abort.abort(new Error('no longer wanted'))
  await expect(waiting).rejects.toThrow('no longer wanted')
})

test('an abort ends its own wait only', async () => {
  const late = createLateCharges()
  const abort = new AbortController()
  const given = late.take(98, abort.signal)
  const wanted = late.take(98, signal)
  abort.abort(new Error('no longer wanted'))
  await expect(given).rejects.toThrow('no longer wanted')
  late.keep(charge(98))
  expect((await wanted).body.order).toBe(98)
})
