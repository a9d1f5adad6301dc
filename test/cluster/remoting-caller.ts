/** Asks single requests of any broker over TCP, by our codecs and nothing else. */
import { connectTcp } from '@sagalog/client/tcp'
import type { Channel } from '@sagalog/kernel'
import { type Command, isResponse, onewayOf, type RequestCodec, requestOf } from '@sagalog/protocol'

export interface Reply<Res> {
  readonly code: number
  readonly remark?: string
  readonly payload: Res
}

export class RemotingCaller {
  private readonly channel: Channel<Command>
  private readonly waiting = new Map<number, (reply: Command | Error) => void>()
  private opaque = 0

  private constructor(channel: Channel<Command>) {
    this.channel = channel
    channel.onItem((command) => {
      if (isResponse(command)) this.waiting.get(command.opaque)?.(command)
    })
    channel.onClose((reason) => {
      for (const settle of this.waiting.values()) settle(new Error(reason))
    })
  }

  static async connect(address: string): Promise<RemotingCaller> {
    const [host = '', port] = address.split(':')
    return new RemotingCaller(await connectTcp({ host, port: Number(port) })())
  }

  async call<Req, Res>(codec: RequestCodec<Req, Res>, request: Req): Promise<Reply<Res>> {
    this.opaque += 1
    const { opaque } = this
    const answer = new Promise<Command | Error>((resolve) => this.waiting.set(opaque, resolve))
    this.channel.send(requestOf(codec, opaque, request))
    const reply = await answer
    this.waiting.delete(opaque)
    if (reply instanceof Error) throw new Error(`${codec.name}: ${reply.message}`)
    return reply as unknown as Reply<Res>
  }

  tell<Req, Res>(codec: RequestCodec<Req, Res>, request: Req): void {
    this.channel.send(onewayOf(codec, 0, request))
  }

  close(): void {
    this.channel.close('done')
  }
}
