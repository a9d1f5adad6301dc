import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBroker } from '@sagalog/broker'
import { listenTcp } from '@sagalog/broker/tcp'
import type { Channel } from '@sagalog/kernel'
import { nodeClock, nodeRandom, listenSockets, socketChannel } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import * as t from 'io-ts'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createConsumer, createProducer, ensureTopic, openConnection, topic } from '../src/index.js'
import { connectTcp } from '../src/tcp/index.js'

const Numbers = topic('numbers', t.number, { queues: 4 })
const closers: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const ports = { clock: nodeClock(), random: nodeRandom() }

async function openOnDisk() {
  const directory = mkdtempSync(join(tmpdir(), 'sagalog-tcp-'))
  closers.push(() => rmSync(directory, { recursive: true }))
  const broker = await openBroker({
    ...ports,
    disk: nodeDisk(),
    directory,
    segmentBytes: 1024 * 1024,
    durability: 'os',
  })
  closers.push(() => {
    expect(broker.status().earlyReplies).toBe(0)
    return broker.close()
  })
  return broker
}

describe('over TCP', () => {
  it('messages go from a producer to consumers, and connections come back', async () => {
    const broker = await openOnDisk()
    let listener = await listenTcp(broker, { host: '127.0.0.1', port: 0 })
    const { port } = listener
    const address = { host: '127.0.0.1', port }
    const sending = openConnection({ connect: connectTcp(address), ports })
    const receiving = openConnection({ connect: connectTcp(address), ports })
    closers.push(() => listener.close())
    closers.push(() => sending.close())
    closers.push(() => receiving.close())

    await ensureTopic(sending, Numbers)
    const seen: number[] = []
    let wake = (): void => {}
    const consumer = createConsumer(receiving, { group: 'g', instance: 'i' })
    consumer.listen(Numbers, async (message) => {
      seen.push(message.body)
      wake()
    })
    await consumer.start()
    const all = (count: number): Promise<void> =>
      new Promise((resolve) => {
        wake = () => {
          if (new Set(seen).size >= count) resolve()
        }
        wake()
      })
    const producer = createProducer(sending, { group: 'p' })
    await Promise.all(Array.from({ length: 500 }, (_, n) => producer.send(Numbers, n)))
    await all(500)

    await listener.close()
    // Until this end has seen the close, a send would be lost with the old connection.
    while (sending.isUp) await new Promise(setImmediate)
    listener = await listenTcp(broker, { host: '127.0.0.1', port })
    await producer.send(Numbers, 500)
    await all(501)
    // What was in hand at the cut may have come again; its effects would be committed once.
    expect([...new Set(seen)].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 501 }, (_, n) => n),
    )
    await consumer.close()
  })

  it('nobody there is an error of connecting, not of the process', async () => {
    await expect(connectTcp({ host: '127.0.0.1', port: 1 })()).rejects.toThrow(/ECONNREFUSED/)
  })

  it('bytes that are no frame end the connection, and the broker lives', async () => {
    const broker = await openOnDisk()
    const listener = await listenTcp(broker, { host: '127.0.0.1', port: 0 })
    closers.push(() => listener.close())
    const socket = connect({ host: '127.0.0.1', port: listener.port })
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\n\r\n')
    await new Promise((resolve) => socket.once('close', resolve))
    const connection = openConnection({
      connect: connectTcp({ host: '127.0.0.1', port: listener.port }),
      ports,
    })
    closers.push(() => connection.close())
    await ensureTopic(connection, Numbers)
  })
})

/** A channel on one end of a socket, and the bare socket of the other end. */
async function joined(
  options = {},
): Promise<{ channel: Channel<Buffer>; socket: Socket; peer: Socket }> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      server.close()
      resolve({ channel: socketChannel(socket, options), socket, peer })
    })
    let peer: Socket
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address()
      peer = connect({
        host: '127.0.0.1',
        port: typeof bound === 'object' ? (bound?.port ?? 0) : 0,
      })
      closers.push(() => void peer.destroy())
    })
  })
}

describe('a socket channel', () => {
  it('closes with a reason when its peer reads too little', async () => {
    const { channel, peer } = await joined({ outboundBytesMax: 1024 * 1024 })
    peer.pause()
    const reason = new Promise<string>((resolve) => channel.onClose(resolve))
    const chunk = Buffer.alloc(256 * 1024)
    for (let n = 0; n < 200 && channel.send(chunk); n += 1) await new Promise(setImmediate)
    expect(await reason).toMatch(/more than 1048576 bytes unread/)
    expect(channel.send(chunk)).toBe(false)
  })

  it('hands the items of one turn to the system in one write', async () => {
    const { channel, peer, socket } = await joined()
    const writes = [vi.spyOn(socket, '_write'), vi.spyOn(socket, '_writev')]
    const received = new Promise<number>((resolve) => {
      let bytes = 0
      peer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes >= 200_000) resolve(bytes)
      })
    })
    for (let n = 0; n < 1_000; n += 1) channel.send(Buffer.alloc(200, n))
    expect(await received).toBe(200_000)
    expect(writes.reduce((sum, { mock }) => sum + mock.calls.length, 0)).toBe(1)
  })

  it('writes what was handed over before it closes', async () => {
    const { channel, peer } = await joined()
    const received: Buffer[] = []
    peer.on('data', (bytes) => received.push(bytes))
    const ended = new Promise((resolve) => peer.once('end', resolve))
    for (let n = 0; n < 100; n += 1) channel.send(Buffer.alloc(10_000, n))
    channel.close('enough')
    await ended
    expect(Buffer.concat(received)).toHaveLength(1_000_000)
    expect(await new Promise((resolve) => channel.onClose(resolve))).toBe('enough')
  })

  it('stops reading while its peer does not read', async () => {
    const channels: Channel<Buffer>[] = []
    const listener = await listenSockets(
      { host: '127.0.0.1', port: 0 },
      (channel) => {
        channels.push(channel)
        // Answers each chunk with ten times as much.
        channel.onItem((bytes) => {
          for (let n = 0; n < 10; n += 1) channel.send(bytes)
        })
      },
      { pauseReadingAboveBytes: 64 * 1024, outboundBytesMax: 16 * 1024 * 1024 },
    )
    closers.push(() => listener.close())
    const peer = connect({ host: '127.0.0.1', port: listener.port })
    closers.push(() => void peer.destroy())
    peer.pause()
    const total = 400
    for (let n = 0; n < total; n += 1) peer.write(Buffer.alloc(64 * 1024, n))
    await new Promise((resolve) => setTimeout(resolve, 200))
    let bytes = 0
    const done = new Promise<void>((resolve) => {
      peer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes === total * 10 * 64 * 1024) resolve()
      })
    })
    peer.resume()
    await done
    expect(channels).toHaveLength(1)
  })
})
