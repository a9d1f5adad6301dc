/** `sagalog start` as a process: its ready line, its end by a signal, and what it keeps. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createProducer, openConnection, topic } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import * as t from 'io-ts'
import { afterEach, expect, test } from 'vitest'
import { StandaloneProcess } from './interop/standalone-process.js'

const letters = topic('T', t.string)
const ports = ['--port', '0', '--name-server-port', '0']

async function send(address: string, body: string): Promise<number> {
  const [host = '', port] = address.split(':')
  const connection = openConnection({
    connect: connectTcp({ host, port: Number(port) }),
    ports: { clock: nodeClock(), random: nodeRandom() },
  })
  const producer = createProducer(connection, { group: 'P' })
  const { queueOffset } = await producer.send(letters, body, { shardingKey: 'k' })
  connection.close()
  return queueOffset
}

const started: StandaloneProcess[] = []
function start(directory: string, more: readonly string[] = []): StandaloneProcess {
  const server = new StandaloneProcess(directory, [...ports, ...more])
  started.push(server)
  return server
}

// A test that failed leaves nobody behind.
afterEach(async () => {
  for (const server of started.splice(0)) await server.kill()
})

test('it serves until SIGTERM, ends with 0, and keeps what it acknowledged over a crash', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sagalog-start-'))
  const first = start(directory)
  expect(await send((await first.ready).broker, 'one')).toBe(0)
  expect(await first.stop()).toBe(0)
  const second = start(directory)
  expect(await send((await second.ready).broker, 'two')).toBe(1)
  await second.kill()
  const third = start(directory)
  expect(await send((await third.ready).broker, 'three')).toBe(2)
  expect(await third.stop()).toBe(0)
  rmSync(directory, { recursive: true, force: true })
})

test('it serves its metrics on the loopback when it is asked to, and ends all the same', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sagalog-start-'))
  const server = start(directory, ['--metrics-port', '0'])
  const { broker, metrics = '' } = await server.ready
  await send(broker, 'one')
  const text = await (await fetch(`http://${metrics}/metrics`)).text()
  expect(metrics).toMatch(/^127\.0\.0\.1:\d+$/)
  expect(text).toMatch(/^sagalog_messages_stored_total\{topic="T",queue="\d"\} 1$/m)
  expect(Number(/^sagalog_sync_seconds_count (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(0)
  expect(await server.stop()).toBe(0)
  rmSync(directory, { recursive: true, force: true })
})
