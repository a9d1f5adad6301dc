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
function start(directory: string): StandaloneProcess {
  const server = new StandaloneProcess(directory, ports)
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
