/**
 * What every store of projection rows must do, as a suite, for memory, streams, and whoever keeps
 * rows in a database of their own.
 */
import type { EventPosition } from '../event-store-port.js'
import type { Checkpoint, RowStore } from '../row-store.js'
import { assertEqual } from '../specification.js'

export interface RowStoreContractHost {
  /** Declares a test; the body gets an empty store and is run to its end. */
  test(name: string, body: (rows: RowStore) => Promise<void>): void
}

const checkpoint = (next: number, parked: Checkpoint['parked'] = {}): Checkpoint => ({
  // Positions are JSON values; a store keeps them and gives them back.
  next: next as unknown as EventPosition,
  parked,
})

async function allOf(rows: RowStore, version = 1): Promise<unknown> {
  const found: [string, unknown][] = []
  for await (const [key, row] of rows.space('p', version).all()) found.push([key, row])
  return found.sort(([left], [right]) => (left < right ? -1 : 1))
}

/** Declares the whole suite through `host`. */
export function rowStoreContract({ test }: RowStoreContractHost): void {
  test('rows and checkpoint change together', async (rows) => {
    const space = rows.space('p', 1)
    assertEqual(await space.checkpoint('*'), undefined)
    const first = { a: 1, text: 'é "\u0001' }
    const after = checkpoint(7, { 'c/s': 'version 3: why' })
    const changes = new Map<string, unknown>([
      ['k1', first],
      ['k2', [1, 2]],
    ])
    assertEqual(await space.write({ part: '*', before: undefined, after, rows: changes }), true)
    assertEqual(await space.checkpoint('*'), after)
    assertEqual(await allOf(rows), [
      ['k1', first],
      ['k2', [1, 2]],
    ])
    assertEqual([...(await space.read(['k2', 'k3']))], [['k2', [1, 2]]])
  })
  test('a row is replaced and taken away', async (rows) => {
    const space = rows.space('p', 1)
    await space.checkpoint('*')
    const [one, two] = [checkpoint(1), checkpoint(2)]
    const before = new Map<string, unknown>([
      ['a', 1],
      ['b', 2],
    ])
    await space.write({ part: '*', before: undefined, after: one, rows: before })
    const changes = new Map<string, unknown>([
      ['a', undefined],
      ['b', 3],
    ])
    assertEqual(await space.write({ part: '*', before: one, after: two, rows: changes }), true)
    assertEqual(await allOf(rows), [['b', 3]])
  })
  test('who knows another checkpoint writes nothing', async (rows) => {
    const [mine, theirs] = [rows.space('p', 1), rows.space('p', 1)]
    await mine.checkpoint('*')
    await theirs.checkpoint('*')
    const [one, two] = [checkpoint(1), checkpoint(2)]
    const row = (value: number) => new Map<string, unknown>([['a', value]])
    assertEqual(await mine.write({ part: '*', before: undefined, after: one, rows: row(1) }), true)
    assertEqual(
      await theirs.write({ part: '*', before: undefined, after: two, rows: row(2) }),
      false,
    )
    assertEqual([await allOf(rows), await mine.checkpoint('*')], [[['a', 1]], one])
  })
  test('a checkpoint at the same place with other parked streams is another one', async (rows) => {
    const [mine, theirs] = [rows.space('p', 1), rows.space('p', 1)]
    await mine.checkpoint('*')
    const [parked, released] = [checkpoint(1, { 'c/s': 'version 1: why' }), checkpoint(1)]
    const row = (value: number) => new Map<string, unknown>([['a', value]])
    await mine.write({ part: '*', before: undefined, after: parked, rows: row(1) })
    assertEqual(await theirs.checkpoint('*'), parked)
    const change = { part: '*', before: parked }
    assertEqual(await mine.write({ ...change, after: released, rows: row(2) }), true)
    assertEqual(await theirs.write({ ...change, after: checkpoint(2), rows: row(3) }), false)
    assertEqual([await allOf(rows), await mine.checkpoint('*')], [[['a', 2]], released])
  })
  test('parts have checkpoints of their own and share the rows', async (rows) => {
    const space = rows.space('p', 1)
    for (const part of ['x', 'y']) {
      await space.checkpoint(part)
      const change = { part, before: undefined, after: checkpoint(4) }
      await space.write({ ...change, rows: new Map([[part, part]]) })
    }
    assertEqual(await allOf(rows), [
      ['x', 'x'],
      ['y', 'y'],
    ])
  })
  test('versions have rows of their own, and one of them is active', async (rows) => {
    assertEqual(await rows.active('p'), undefined)
    assertEqual(await rows.activate('p', 1, undefined), true)
    assertEqual(await rows.activate('p', 2, undefined), false)
    const space = rows.space('p', 2)
    await space.checkpoint('*')
    const change = { part: '*', before: undefined, after: checkpoint(1) }
    await space.write({ ...change, rows: new Map([['a', 2]]) })
    assertEqual([await allOf(rows, 1), await allOf(rows, 2)], [[], [['a', 2]]])
    assertEqual([await rows.activate('p', 2, 1), await rows.active('p')], [true, 2])
  })
}
