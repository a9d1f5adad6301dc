/** What Prometheus reads of a broker at work: every family, its numbers, and hostile names. */
import { createServer } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrokerMetrics } from '@sagalog/broker'
import { nodeClock } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import * as t from 'io-ts'
import * as library from 'prom-client'
import { afterAll, expect, test } from 'vitest'
import { Sagalog, topic } from '../src/index.js'
import {
  exportMetrics,
  measuredDisk,
  type MetricsSource,
  serveMetrics,
} from '../src/metrics/index.js'

const folder = mkdtempSync(join(tmpdir(), 'sagalog-metrics-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const Jobs = topic('jobs', t.string, { queues: 1 })

/** The samples of a scrape by their names and labels. */
function samplesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

test('a broker at work is scraped over HTTP', async () => {
  const registry = new library.Registry()
  let source: MetricsSource | undefined
  const { onHandled, onServed, onSync } = exportMetrics(library, registry, () => source)
  const disk = measuredDisk(nodeDisk(), nodeClock(), onSync)
  const transactions = { checkAfterMs: 60_000 }
  const options = { dir: join(folder, 'data'), onServed, ports: { disk }, transactions }
  const server = await serveMetrics(registry, 0)
  const scrape = async (path = '/metrics', init: RequestInit = {}) =>
    await fetch(`http://127.0.0.1:${server.port}${path}`, init)
  // Before the broker is open there is nothing to tell, and no failure.
  expect((await scrape()).status).toBe(200)

  const sagalog = await Sagalog.open(options)
  source = sagalog.broker
  await sagalog.ensureTopic(Jobs)
  const producer = sagalog.producer({ group: 'p', checkBack: async () => 'unknown' })
  for (const body of ['a', 'b', 'bad']) await producer.send(Jobs, body)
  await producer.send(Jobs, 'later', { delayMs: 600_000 })
  await producer.sendInTransaction(Jobs, 'half', {}, async () => 'unknown')
  const retrying = { attemptsMax: 1, retryMs: 1 }
  const consumer = sagalog.consumer({ group: 'g', instance: 'i', onHandled, ...retrying })
  const dead = new Promise<void>((resolve) => {
    consumer.listen(Jobs, async ({ body }) => {
      if (body !== 'bad') return
      resolve()
      throw new Error('bad')
    })
  })
  await consumer.start()
  await dead
  await consumer.close()
  await producer.send(Jobs, 'left')
  await new Promise((resolve) => setTimeout(resolve, 10))

  const response = await scrape()
  expect(response.headers.get('content-type')).toContain('text/plain')
  const text = await response.text()
  const samples = samplesOf(text)
  const value = (name: string): number | undefined => samples.get(`sagalog_${name}`)
  const queue = 'group="g",topic="jobs"'
  expect(value('messages_stored_total{topic="jobs",queue="0"}')).toBe(4)
  expect(value(`messages_delivered_total{${queue}}`)).toBeGreaterThanOrEqual(3)
  expect(value(`messages_delivered_bytes_total{${queue}}`)).toBeGreaterThan(300)
  expect(value(`messages_acknowledged_total{${queue}}`)).toBe(3)
  expect(value(`group_lag_messages{${queue},queue="0"}`)).toBe(1)
  expect(value(`group_oldest_seconds{${queue},queue="0"}`)).toBeGreaterThan(0)
  expect(value('group_members{group="g"}')).toBe(0)
  expect(value('group_retries_total{group="g"}')).toBe(0)
  expect(value('group_dead_letters_total{group="g"}')).toBe(1)
  expect(value('group_dead_letters_waiting{group="g"}')).toBe(1)
  expect(value('halves{state="open"}')).toBe(1)
  expect(value('halves{state="parked"}')).toBe(0)
  expect(value('timers')).toBe(1)
  expect(value('connections')).toBe(1)
  expect(value('early_replies_total')).toBe(0)
  expect(value('log_bytes_total')).toBeGreaterThan(1_000)
  expect(value('sync_seconds_count')).toBeGreaterThan(4)
  expect(value('sync_seconds_sum')).toBeGreaterThan(0)
  expect(value('queue_messages{topic="jobs",queue="0"}')).toBe(4)
  expect(value('topic_timers{topic="jobs"}')).toBe(1)
  expect(value('topic_halves{topic="jobs"}')).toBe(1)
  expect(value('messages_let_go_total')).toBe(0)
  expect(value('log_file_bytes')).toBeGreaterThan(1_000)
  // Four plain sends, the delayed one and the half; each took the time of a sync at least.
  expect(value('request_seconds_count{request="send"}')).toBe(6)
  expect(value('request_seconds_sum{request="send"}')).toBeGreaterThan(0)
  expect(value('request_seconds_count{request="commit"}')).toBeGreaterThanOrEqual(2)
  const ran = 'handler_seconds_count{group="g",topic="jobs",outcome='
  expect([value(`${ran}"handled"}`), value(`${ran}"failed"}`)]).toEqual([2, 1])
  for (const [name] of samples) expect(text).toContain(`# HELP ${familyOf(name)} `)
  // A second scrape tells the same: nothing is added up twice.
  expect(samplesOf(await (await scrape()).text()).get('sagalog_timers')).toBe(1)
  await sagalog.broker.restate()
  const again = samplesOf(await (await scrape()).text())
  expect(again.get(`sagalog_messages_acknowledged_total{${queue}}`)).toBe(3)

  expect((await scrape('/other')).status).toBe(404)
  expect((await scrape('/metrics', { method: 'POST' })).status).toBe(405)
  await sagalog.close()
  await server.close()
  await expect(scrape()).rejects.toThrow('fetch failed')
})

const familyOf = (sample: string): string =>
  sample
    .replace(/\{.*$/, '')
    .replace(/((?:sync|request|handler)_seconds)_(bucket|sum|count)$/, '$1')

const metricsOf = (traffic: BrokerMetrics['traffic']): MetricsSource => ({
  metrics: () => Promise.resolve({ ...empty, traffic }),
})
const empty = {
  connections: 0,
  halvesOpen: 0,
  halvesParked: 0,
  timersOpen: 0,
  earlyReplies: 0,
  log: { sequenced: 0, durable: 0, writes: 0, syncs: 0, bytes: 0, records: 0 },
  queues: [],
  topics: [],
  retention: { logBytes: 0, messagesLetGo: 0, passedOver: [], heldUp: [] },
  groups: [],
  lags: [],
  traffic: [],
} as unknown as BrokerMetrics

test('names can not break out of their labels, and rows that are gone are not told again', async () => {
  const registry = new library.Registry()
  const counts = { delivered: 7, deliveredBytes: 1, acknowledged: 0 }
  const hostile = 'a"}\n\\ sagalog_timers 99'
  let source = metricsOf([{ group: hostile, topic: 't', ...counts }])
  exportMetrics(library, registry, () => source)
  const text = await registry.metrics()
  expect(text).toContain('{group="a\\"}\\n\\\\ sagalog_timers 99",topic="t"} 7\n')
  expect(samplesOf(text).get('sagalog_timers')).toBe(0)
  source = metricsOf([])
  expect(await registry.metrics()).not.toContain('topic="t"')
})

test('a broker that can not tell is a scrape with status 500, and a port in use is named', async () => {
  const registry = new library.Registry()
  exportMetrics(library, registry, () => ({ metrics: () => Promise.reject(new Error('no log')) }))
  const server = await serveMetrics(registry, 0)
  const failed = await fetch(`http://127.0.0.1:${server.port}/metrics`)
  expect([failed.status, await failed.text()]).toEqual([500, 'Error: no log'])
  await server.close()
  const other = createServer()
  const port = await new Promise<number>((resolve) => {
    other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port))
  })
  const taken = serveMetrics(registry, port)
  await expect(taken).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
  await new Promise((resolve) => other.close(resolve))
})
