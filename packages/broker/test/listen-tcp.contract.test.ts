/** What a hostile or careless peer may take of a listener, on real sockets with small bounds. */
import { connect, type Socket } from 'node:net'
import { type Channel, position, queueOffset } from '@sagalog/kernel'
import { connectSocket } from '@sagalog/kernel/node'
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { simulatedDisk } from '@sagalog/log-core/testing'
import { type Command, commandChannel, encodeFrame, FrameDecoder } from '@sagalog/protocol'
import { checkTransaction, encodeStoredMessage, heartbeat, onewayOf } from '@sagalog/protocol'
import { pullMessage, responseOf, storedMessageBytes, topicRoute } from '@sagalog/protocol'
import { afterEach, expect, test, vi } from 'vitest'
import { openBroker } from '../src/index.js'
import { listenTcp, type ListenOptions } from '../src/tcp/index.js'

const closers: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

interface Peer {
  readonly socket: Socket
  readonly closed: Promise<void>
}

async function listen(options: ListenOptions) {
  const accepted: Channel<Command>[] = []
  const reasons: string[] = []
  const accept = (channel: Channel<Command>): void => {
    accepted.push(channel)
    channel.onItem(() => undefined)
    channel.onClose((reason) => reasons.push(reason))
  }
  const listener = await listenTcp({ accept }, { host: '127.0.0.1', port: 0 }, options)
  closers.push(() => listener.close())
  const peer = async (): Promise<Peer> => {
    const socket = connect({ host: '127.0.0.1', port: listener.port })
    closers.push(() => void socket.destroy())
    socket.on('error', () => undefined)
    socket.resume()
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()))
    return { socket, closed }
  }
  return { accepted, reasons, peer, port: listener.port }
}

/** The head of a frame that never ends. */
const begun = (bytes: number): Buffer => {
  const head = Buffer.alloc(8)
  head.writeInt32BE(bytes, 0)
  head.writeInt32BE(21, 4)
  head.writeUInt8(1, 4)
  return head
}

test('a frame that dribbles is given up; whole ones in time are not', async () => {
  const { peer, reasons } = await listen({ frameMs: 200 })
  const slow = await peer()
  const fast = await connectSocket({ host: '127.0.0.1', port: slow.socket.remotePort ?? 0 })
  closers.push(() => fast.close('done'))
  slow.socket.write(begun(1_000))
  const beat = { clientId: 'c', producerGroups: [], consumers: [] }
  const commands = commandChannel(fast)
  const dribble = setInterval(() => {
    slow.socket.write(Buffer.alloc(1))
    commands.send(onewayOf(heartbeat, 1, beat))
  }, 20)
  await slow.closed
  clearInterval(dribble)
  await expect.poll(() => reasons).toEqual(['a frame was not there within 200 ms'])
})

test('who says nothing is let go', async () => {
  const { peer, reasons } = await listen({ idleMs: 100 })
  await (
    await peer()
  ).closed
  await expect.poll(() => reasons).toEqual(['nothing came or went for 100 ms'])
})

test('one connection too many is closed, and a free place is given again', async () => {
  const { accepted, peer } = await listen({ connectionsMax: 2 })
  const [first] = [await peer(), await peer()]
  await (
    await peer()
  ).closed
  expect(accepted.length).toBe(2)
  first?.socket.destroy()
  await expect
    .poll(async () => {
      const again = await peer()
      await Promise.race([again.closed, new Promise((resolve) => setTimeout(resolve, 50))])
      return again.socket.destroyed
    })
    .toBe(false)
  expect(accepted.length).toBe(3)
})

test('unfinished frames share one bound; who breaks it goes, the others stay', async () => {
  const { peer, reasons } = await listen({ inboundBytesMax: 300_000 })
  const [one, two, three] = [await peer(), await peer(), await peer()]
  for (const { socket } of [one, two])
    socket.write(Buffer.concat([begun(1_000_000), Buffer.alloc(120_000)]))
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(reasons).toEqual([])
  three.socket.write(Buffer.concat([begun(1_000_000), Buffer.alloc(120_000)]))
  await three.closed
  await expect.poll(() => reasons).toEqual(['too many bytes of unfinished frames are held'])
  // What it held is free again.
  const fourth = await peer()
  fourth.socket.write(Buffer.concat([begun(1_000_000), Buffer.alloc(20_000)]))
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect([one, two, fourth].map(({ socket }) => socket.destroyed)).toEqual([false, false, false])
})

const pull = {
  consumerGroup: 'G',
  topic: 'T',
  queueId: 0,
  queueOffset: queueOffset(0),
  maxMessages: 1,
  maxBytes: 1,
  suspendMs: 0,
} as const

/** A stored message of so many bytes, more or less. */
function storedOf(bytes: number): Buffer {
  const host = Buffer.alloc(8)
  const message = { topic: 'T', queueId: 0, queueOffset: queueOffset(0), flag: 0, sysFlag: 0 }
  const times = { bornTimestampMs: 0, storeTimestampMs: 0, reconsumeTimes: 0 }
  const rest = { bornHost: host, storeHost: host, preparedTransactionOffset: 0, properties: '' }
  const whole = { ...message, ...times, ...rest, body: Buffer.alloc(bytes) }
  const target = Buffer.alloc(storedMessageBytes(whole))
  encodeStoredMessage(whole, target, 0, 0)
  return target
}

test('who does not read replies is not heard until he reads, and then all of it', async () => {
  const { accepted, peer, reasons } = await listen({})
  const { socket } = await peer()
  socket.pause()
  const [channel] = accepted
  if (channel === undefined) throw new Error('nobody was accepted')
  let asked = 0
  const messages = [storedOf(512 * 1024)]
  const answer = { nextBeginOffset: queueOffset(1), minOffset: queueOffset(0), messages }
  channel.onItem((command) => {
    asked += 1
    const payload = { ...answer, maxOffset: queueOffset(1) }
    channel.send(responseOf(command, { code: 0, payload }))
  })
  const { fields, body } = pullMessage.encodeRequest(pull)
  const who = { dialect: 'binary', language: 7, version: 479, flag: 0 } as const
  const ask = (opaque: number): void => {
    socket.write(encodeFrame({ ...who, code: pullMessage.code, opaque, fields, body }))
  }
  const isHeard = (opaque: number): Promise<boolean> =>
    vi.waitUntil(() => asked === opaque, { timeout: 200, interval: 2 }).catch(() => false)
  // One by one: all that one read brings is answered, whatever it comes to.
  let sent = 1
  for (ask(sent); await isHeard(sent); ask(sent)) sent += 1
  // The bound, and what the system takes at both ends of the loopback; 64 MiB would close it.
  expect(sent).toBeLessThan(100)
  expect(asked).toBe(sent - 1)
  expect(reasons).toEqual([])
  socket.resume()
  await expect.poll(() => asked, { timeout: 5_000 }).toBe(sent)
  expect(reasons).toEqual([])
})

test('who leaves 64 MiB unread is let go', async () => {
  const { accepted, peer, reasons } = await listen({})
  const { closed, socket } = await peer()
  socket.pause()
  const [channel] = accepted
  const half = { topic: 'T', tranStateTableOffset: 0, commitLogOffset: position(0), msgId: '' }
  const message = Buffer.alloc(4 * 1024 * 1024)
  const asked = { ...half, transactionId: '', offsetMsgId: '', message }
  let sent = 0
  while (channel?.send(onewayOf(checkTransaction, 1, asked)) === true && sent < 40) sent += 1
  expect(sent).toBe(15)
  expect(reasons).toEqual(['the peer left more than 67108864 bytes unread'])
  socket.resume()
  await closed
})

test.each([
  ['TLS', Buffer.from('160301020001000001fc0303', 'hex')],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a negative length', begun(-1)],
  ['a length of 16 MiB and one', begun(16_777_217)],
  ['a header longer than its frame', begun(10)],
  ['an unknown kind of header', Buffer.from('0000001902000015', 'hex')],
])('%s closes the connection', async (_, bytes) => {
  const { peer, reasons } = await listen({})
  const { closed, socket } = await peer()
  socket.write(bytes)
  await closed
  await expect.poll(() => reasons.length).toBe(1)
})

test('a code that nobody knows is refused by number, and the connection lives', async () => {
  const random = seededRandom(1)
  const time = simulatedTime(random.fork('time'))
  const clock = time.nodeClock()
  const disk = simulatedDisk({ time, random: random.fork('disk') }).attach(clock)
  const opening = openBroker({ disk, clock, random, directory: '/b', segmentBytes: 4_096 })
  await time.run({ untilMs: 1_000 })
  const broker = await opening
  const listener = await listenTcp(broker, { host: '127.0.0.1', port: 0 })
  closers.push(() => listener.close())
  const socket = connect({ host: '127.0.0.1', port: listener.port })
  closers.push(() => void socket.destroy())
  const commands: Buffer[] = []
  socket.on('data', (bytes: Buffer) => commands.push(bytes))
  const fields = new Map([['topic', 'T']])
  const plain = { language: 0, version: 479, flag: 0, fields, body: Buffer.alloc(0) } as const
  for (const dialect of ['json', 'binary'] as const) {
    socket.write(encodeFrame({ ...plain, dialect, code: 324, opaque: 7 }))
    socket.write(encodeFrame({ ...plain, dialect, code: topicRoute.code, opaque: 8 }))
  }
  const answers = () => {
    const decoder = new FrameDecoder()
    decoder.push(Buffer.concat(commands))
    const found: unknown[] = []
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next())
      found.push([frame.dialect, frame.opaque, frame.code, frame.remark?.slice(0, 31)])
    return found
  }
  await expect.poll(() => answers().length).toBe(4)
  expect(answers()).toEqual(
    ['json', 'binary'].flatMap((dialect) => [
      [dialect, 7, 3, ' request type 324 not supported'],
      [dialect, 8, 17, 'No topic route info in name ser'],
    ]),
  )
})
