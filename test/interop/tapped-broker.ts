/**
 * A broker in this process that writes down every frame of its clients and its own: what golden
 * files are made from, and compared with.
 */
import { openBroker } from '@sagalog/broker'
import type { Channel } from '@sagalog/kernel'
import { listenSockets, nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import { commandChannel, type Frame, FrameDecoder } from '@sagalog/protocol'

export interface TappedFrame {
  /** `client` sent it, or `broker` did. */
  readonly from: 'client' | 'broker'
  readonly frame: Frame
  /** The bytes as they went over the wire. */
  readonly bytes: Buffer
  /** The code that was asked, for answers too. */
  readonly asked: number
}

class Tap {
  private readonly decoder = new FrameDecoder()
  private bytes: Buffer = Buffer.alloc(0)
  private readonly took: (frame: Frame, bytes: Buffer) => void

  constructor(took: (frame: Frame, bytes: Buffer) => void) {
    this.took = took
  }

  push(chunk: Buffer): void {
    this.decoder.push(chunk)
    this.bytes = Buffer.concat([this.bytes, chunk])
    for (let frame = this.decoder.next(); frame !== undefined; frame = this.decoder.next()) {
      const end = 4 + this.bytes.readInt32BE(0)
      this.took(frame, this.bytes.subarray(0, end))
      this.bytes = this.bytes.subarray(end)
    }
  }
}

function tapped(channel: Channel<Buffer>, took: (frame: TappedFrame) => void): Channel<Buffer> {
  // An answer finds what it answers by the direction and the number of its request.
  const asked = { client: new Map<number, number>(), broker: new Map<number, number>() }
  const note = (from: 'client' | 'broker') => (frame: Frame, bytes: Buffer) => {
    const other = from === 'client' ? 'broker' : 'client'
    const isAnswer = (frame.flag & 1) !== 0
    if (!isAnswer) asked[from].set(frame.opaque, frame.code)
    const code = isAnswer ? asked[other].get(frame.opaque) : frame.code
    if (code !== undefined) took({ from, frame, bytes: Buffer.from(bytes), asked: code })
  }
  const inbound = new Tap(note('client'))
  const outbound = new Tap(note('broker'))
  return {
    remote: channel.remote,
    send(item) {
      outbound.push(item)
      return channel.send(item)
    },
    onItem: (receive) =>
      channel.onItem((item) => {
        inbound.push(item)
        receive(item)
      }),
    onClose: (listener) => channel.onClose(listener),
    close: (reason) => channel.close(reason),
  }
}

export interface TappedBroker {
  /** Name server and broker in one. */
  readonly address: string
  readonly frames: readonly TappedFrame[]
  close(): Promise<void>
}

export async function openTappedBroker(directory: string): Promise<TappedBroker> {
  const frames: TappedFrame[] = []
  const waiting: Channel<Buffer>[] = []
  let take = (channel: Channel<Buffer>): void => void waiting.push(channel)
  const listener = await listenSockets({ host: '127.0.0.1', port: 0 }, (channel) => take(channel))
  const broker = await openBroker({
    disk: nodeDisk(),
    clock: nodeClock(),
    random: nodeRandom(),
    directory,
    address: { host: '127.0.0.1', port: listener.port },
    transactions: { checkAfterMs: 1_000, checkEveryMs: 1_000 },
  })
  take = (channel) => {
    broker.accept(commandChannel(tapped(channel, (frame) => frames.push(frame))))
  }
  waiting.forEach(take)
  return {
    address: `127.0.0.1:${listener.port}`,
    frames,
    async close() {
      await broker.close()
      await listener.close()
    },
  }
}

/** What two frames have in common that ask or answer the same in the same way. */
export function shapeOf({ asked, frame, from }: TappedFrame): string {
  const kind = (frame.flag & 1) !== 0 ? `answer ${frame.code}` : 'request'
  const fields = [...frame.fields.keys()].toSorted()
  return `${frame.dialect} ${asked} ${kind} from ${from}: ${fields.join(' ')}`
}
