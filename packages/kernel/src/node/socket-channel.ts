/**
 * TCP sockets as channels of bytes. What is sent in one turn of the event loop is gathered and
 * leaves in one socket write (gathered-bytes.ts). What a slow reader has not taken is bounded:
 * beyond the bound the channel closes with a reason, because a channel may end but never lose
 * something in the middle.
 */
import { connect, createServer, type Socket } from 'node:net'
import type { Channel, Room, RoomyChannel } from '../ports/channel.js'
import { GatheredBytes } from './gathered-bytes.js'

export interface SocketChannelOptions {
  /** Bytes handed over but not yet taken by the system; 64 MiB unless told. */
  readonly outboundBytesMax?: number
  /**
   * Stops reading while more than this waits to be written, so that who does not read replies can
   * not go on asking. For one of the two ends only: if both stop reading, neither goes on.
   */
  readonly pauseReadingAboveBytes?: number
  /** Closes after so long without a byte in either direction, milliseconds; never unless told. */
  readonly idleMs?: number
}

export interface ListenOptions extends SocketChannelOptions {
  /** Connections at a time; one more is closed at once. No bound unless told. */
  readonly connectionsMax?: number
}

export interface SocketAddress {
  readonly host: string
  readonly port: number
}

const OUTBOUND_BYTES_MAX = 64 * 1024 * 1024
const KEEP_ALIVE_MS = 10_000
/** How long a closed channel may take to write what was handed over before. */
const FAREWELL_MS = 1_000

export function socketChannel(socket: Socket, options: SocketChannelOptions = {}): RoomyChannel {
  return new SocketChannel(socket, options)
}

class SocketChannel implements RoomyChannel {
  readonly remote: string
  readonly #socket: Socket
  readonly #outboundBytesMax: number
  readonly #pauseAboveBytes: number
  #reason: string | undefined
  #failure: string | undefined
  #listener: ((reason: string) => void) | undefined
  readonly #gathered = new GatheredBytes()
  #isFlushPlanned = false
  #isPaused = false

  constructor(socket: Socket, options: SocketChannelOptions) {
    this.#socket = socket
    this.remote = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`
    this.#outboundBytesMax = options.outboundBytesMax ?? OUTBOUND_BYTES_MAX
    this.#pauseAboveBytes = options.pauseReadingAboveBytes ?? Number.POSITIVE_INFINITY
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    if (options.idleMs !== undefined) {
      socket.setTimeout(options.idleMs, () => {
        this.#failure = `nothing came or went for ${options.idleMs} ms`
        socket.destroy()
      })
    }
    socket.on('error', (error) => {
      this.#failure = error.message
    })
    socket.on('close', () => this.#end(this.#failure ?? 'the peer closed the connection'))
    socket.on('drain', () => {
      // Only what was paused here: a socket without a receiver keeps its bytes by not flowing.
      if (this.#isPaused) socket.resume()
      this.#isPaused = false
    })
  }

  send(item: Buffer): boolean {
    if (this.#reason !== undefined || !this.#socket.writable) return false
    this.#gathered.add(item)
    return this.#isSent()
  }

  room(bytesMax: number): Room | undefined {
    if (this.#reason !== undefined || !this.#socket.writable) return undefined
    return this.#gathered.room(bytesMax)
  }

  sendRoom(bytes: number): boolean {
    this.#gathered.fill(bytes)
    return this.#isSent()
  }

  /** Plans the write of what was gathered; false when the peer left too much unread. */
  #isSent(): boolean {
    const socket = this.#socket
    if (!this.#isFlushPlanned) {
      this.#isFlushPlanned = true
      setImmediate(() => this.flush())
    }
    const unwritten = socket.writableLength + this.#gathered.bytes
    if (unwritten > this.#outboundBytesMax) {
      this.#end(`the peer left more than ${this.#outboundBytesMax} bytes unread`)
      socket.destroy()
      return false
    }
    if (unwritten > this.#pauseAboveBytes && !this.#isPaused) {
      this.#isPaused = true
      socket.pause()
    }
    return true
  }

  /** Hands what was gathered to the socket, at the end of a turn or of the channel. */
  flush(): void {
    this.#isFlushPlanned = false
    const socket = this.#socket
    if (socket.writable) this.#gathered.writeTo(socket)
  }

  onItem(receive: (item: Buffer) => void): void {
    this.#socket.on('data', (bytes: Buffer) => {
      if (this.#reason === undefined) receive(bytes)
    })
  }

  onClose(listener: (reason: string) => void): void {
    if (this.#reason === undefined) this.#listener = listener
    else listener(this.#reason)
  }

  close(reason: string): void {
    if (this.#reason !== undefined) return
    const socket = this.#socket
    this.flush()
    const timer = setTimeout(() => socket.destroy(), FAREWELL_MS)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
    // What still arrives has to be read away, or the end of the stream would never be seen.
    socket.resume()
    socket.destroySoon()
    this.#end(reason)
  }

  #end(reason: string): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#listener?.(reason)
    this.#listener = undefined
  }
}

/** Connects to a listening end. Rejects with the system's error when that fails. */
export function connectSocket(
  address: SocketAddress,
  options: SocketChannelOptions = {},
): Promise<Channel<Buffer>> {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socketChannel(socket, options))
    })
  })
}

export interface SocketListener {
  /** The port that it listens on; the system's choice when 0 was asked for. */
  readonly port: number
  /** Takes no more connections and closes those it has accepted. */
  close(): Promise<void>
}

/** Listens for connections. Rejects with the system's error when the address can't be had. */
export function listenSockets(
  address: SocketAddress,
  accept: (channel: Channel<Buffer>) => void,
  options: ListenOptions = {},
): Promise<SocketListener> {
  const open = new Map<Socket, SocketChannel>()
  const server = createServer((socket) => {
    if (open.size >= (options.connectionsMax ?? Number.POSITIVE_INFINITY)) {
      socket.destroy()
      return
    }
    const channel = new SocketChannel(socket, options)
    open.set(socket, channel)
    socket.once('close', () => open.delete(socket))
    accept(channel)
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address.port, address.host, () => {
      server.off('error', reject)
      const bound = server.address()
      resolve({
        port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
        close: () =>
          new Promise((done) => {
            const timer = setTimeout(() => {
              for (const socket of open.keys()) socket.destroy()
            }, FAREWELL_MS)
            server.close(() => {
              clearTimeout(timer)
              done()
            })
            for (const [socket, channel] of open) {
              channel.flush()
              socket.destroySoon()
            }
          }),
      })
    })
  })
}
