/** What Prometheus reads of a runtime's sagas: how long steps took, and how the sagas stand. */
import { createSagaRuntime, saga } from '@sagalog/saga'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as library from 'prom-client'
import { Sagalog } from 'sagalog'
import { afterAll, expect, test } from 'vitest'
import { exportSagaMetrics } from '../src/metrics/index.js'

const folder = mkdtempSync(join(tmpdir(), 'sagalog-saga-metrics-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a scrape tells durations of steps, ends, and what waits', async () => {
  let isBroken = true
  const order = saga('order', 1, t.boolean)
    .forEach('pick', () => [1, 2], {
      out: t.number,
      run: (c) => TE.right(c.item),
      undo: () => TE.right(undefined),
    })
    .step('charge', {
      out: t.string,
      retry: { firstMs: 1 },
      run: (c) => {
        if (isBroken) {
          isBroken = false
          throw new Error('busy')
        }
        return c.input ? TE.right('r') : TE.left('no')
      },
      undo: () => TE.right(undefined),
    })
    .signal('approve', { codec: t.boolean })
    .end()
  const open = await Sagalog.open({ dir: join(folder, 'data'), durability: 'memory' })
  const runtime = createSagaRuntime(open.connection, { sagas: [order], instance: 'a', queues: 1 })
  const registry = new library.Registry()
  exportSagaMetrics(library, registry, runtime)
  await runtime.start()
  const orders = runtime.of(order)
  await orders.start('refused', false)
  for (const id of ['done', 'waits']) await orders.start(id, true)
  await orders.signal('done', 'approve', true)
  expect(await orders.result('refused')).toMatchObject({ outcome: 'compensated' })
  expect(await orders.result('done')).toMatchObject({ outcome: 'completed' })
  let text = ''
  for (let tries = 0; tries < 100 && !text.includes('state="waiting"} 1'); tries += 1)
    text = await registry.metrics()
  const has = (line: string): void => expect(text.split('\n')).toContain(line)
  has('sagalog_sagas{saga="order",state="waiting"} 1')
  has('sagalog_sagas{saga="order",state="running"} 0')
  has('sagalog_sagas{saga="order",state="parked"} 0')
  has('sagalog_sagas_started_total 3')
  has('sagalog_sagas_ended_total{saga="order",outcome="completed"} 1')
  has('sagalog_sagas_ended_total{saga="order",outcome="compensated"} 1')
  has('sagalog_saga_attempts_failed_total{saga="order",step="charge"} 1')
  has('sagalog_saga_step_seconds_count{saga="order",step="pick",outcome="done"} 6')
  has('sagalog_saga_step_seconds_count{saga="order",step="pick",outcome="undone"} 2')
  has('sagalog_saga_step_seconds_count{saga="order",step="charge",outcome="refused"} 1')
  has('sagalog_saga_step_seconds_bucket{le="86400",saga="order",step="charge",outcome="done"} 2')
  await runtime.close()
  await open.close()
})
