/** Name server and broker on real sockets and a real directory: where they are, who is refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectTcp } from '@sagalog/client/tcp'
import { listTopics, requestOf, ResponseCode, sendMessage, topicRoute } from '@sagalog/protocol'
import type { Command, TopicRouteResponse } from '@sagalog/protocol'
import * as t from 'io-ts'
import { afterEach, expect, test } from 'vitest'
import { openStandalone, Sagalog, type Standalone, topic } from '../src/index.js'
import { sagalog } from './terminal.js'

const folder = mkdtempSync(join(tmpdir(), 'sagalog-standalone-'))
const any = { brokerPort: 0, nameServerPort: 0 }
const open: Standalone[] = []

async function start(dir: string, more: Partial<Parameters<typeof openStandalone>[0]> = {}) {
  const server = await openStandalone({ dir: join(folder, dir), ...any, ...more })
  open.push(server)
  return server
}

afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function ask(port: number, command: Command): Promise<Command> {
  const channel = await connectTcp({ host: '127.0.0.1', port })()
  const answer = new Promise<Command>((resolve) => channel.onItem(resolve))
  channel.send(command)
  const answered = await answer
  channel.close('asked')
  return answered
}

const message = {
  producerGroup: 'P',
  topic: 'T',
  defaultTopic: 'TBW102',
  defaultTopicQueueNums: 4,
  queueId: 0,
  sysFlag: 0,
  bornTimestampMs: 1,
  flag: 0,
  properties: '',
  reconsumeTimes: 0,
  body: Buffer.from('kept'),
}

test('the name server tells where the broker is, which keeps what it took', async () => {
  const server = await start('a', { name: 'north' })
  const sent = await ask(server.brokerPort, requestOf(sendMessage, 1, message))
  expect(sent.code).toBe(ResponseCode.SUCCESS)
  const route = await ask(server.nameServerPort, requestOf(topicRoute, 1, { topic: 'T' }))
  expect(route.payload as TopicRouteResponse).toMatchObject({
    brokerName: 'north',
    brokerAddress: `127.0.0.1:${server.brokerPort}`,
    writeQueues: 4,
  })
  const { brokerPort, nameServerPort } = server
  await server.close()
  // The same ports are free at once, and the topic is still there.
  const again = await start('a', { brokerPort, nameServerPort })
  const there = await ask(again.nameServerPort, requestOf(topicRoute, 1, { topic: 'T' }))
  expect(there.code).toBe(ResponseCode.SUCCESS)
})

test('a port or a directory of somebody else is named, and nothing stays open', async () => {
  const first = await start('b')
  const { brokerPort } = first
  const second = start('c', { brokerPort })
  await expect(second).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
    message: expect.stringContaining(`127.0.0.1:${brokerPort}`) as string,
  })
  const names = createServer()
  const port = await new Promise<number>((resolve) => {
    names.listen(0, '127.0.0.1', () => resolve((names.address() as { port: number }).port))
  })
  await new Promise((resolve) => names.close(resolve))
  const shared = start('b', { nameServerPort: port })
  await expect(shared).rejects.toMatchObject({ code: 'LOCKED' })
  // Its listeners were given back.
  await start('c', { nameServerPort: port })
})

test('the command says what is wrong in words, with its code', async () => {
  const ports = ['--port', '0', '--name-server-port', '0']
  const first = await start('d')
  const taken = await sagalog([
    'start',
    '--dir',
    join(folder, 'e'),
    '--port',
    `${first.brokerPort}`,
    '--name-server-port',
    '0',
  ])
  expect(taken).toEqual({
    code: 1,
    out: '',
    err: `sagalog: the address 127.0.0.1:${first.brokerPort} is in use\nChoose another port, or stop the other process.\n`,
  })
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const unusable = await sagalog(['start', '--dir', file, ...ports])
  expect([unusable.code, unusable.err]).toEqual([
    1,
    expect.stringContaining(`${file} can not be used for a log`),
  ])
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org']) {
    const remote = await sagalog(['start', '--dir', join(folder, 'f'), ...ports, '--host', host])
    expect([remote.code, remote.err]).toEqual([1, expect.stringContaining('--allow-remote')])
  }
  const elsewhere = ['--allow-remote', '--host', '192.0.2.77']
  const foreign = await sagalog(['start', '--dir', join(folder, 'f'), ...ports, ...elsewhere])
  expect([foreign.code, foreign.err]).toEqual([
    1,
    expect.stringContaining('192.0.2.77:0 can not be listened on'),
  ])
  for (const wrong of [
    ['--port', '70000'],
    ['--queues', '0'],
    ['--durability', 'none'],
  ]) {
    const misused = await sagalog(['start', ...wrong])
    expect([misused.code, misused.err]).toEqual([2, expect.stringContaining(wrong[0] as string)])
  }
})

test('one address decides where: a directory of this process, or who listens', async () => {
  const Numbers = topic('numbers', t.number, { queues: 1 })
  const dir = join(folder, 'address')
  const embedded = await Sagalog.connect(`sagalog:${dir}`)
  await embedded.ensureTopic(Numbers)
  await embedded.producer({ group: 'p' }).send(Numbers, 1)
  await embedded.close()
  const server = await start('address')
  const names = `127.0.0.1:${server.nameServerPort}`
  const remote = await Sagalog.connect(`rocketmq://127.0.0.1:1;${names}`)
  const { queueOffset } = await remote.producer({ group: 'p' }).send(Numbers, 2)
  expect(queueOffset).toBe(1)
  // A Sagalog broker, so all that is its own can be asked of it.
  const listed = await remote.connection.call(listTopics, { after: '', maxTopics: 9 })
  expect(listed.topics.map(({ messages }) => messages)).toEqual([2])
  await remote.close()
  await expect(Sagalog.connect(dir)).rejects.toThrow(`a directory is sagalog:${dir}`)
})
