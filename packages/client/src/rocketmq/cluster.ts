/** What a translated request works with: the parts of one connection to a cluster. */
import type { RequestCodec } from '@sagalog/protocol'
import type { Connection, Reply } from '../connection.js'
import type { AllPorts } from '../ports.js'
import type { BrokerChannels } from './broker-channels.js'
import type { Groups } from './groups.js'
import type { HalfBrokers } from './half-brokers.js'
import type { KeyOrder } from './key-order.js'
import type { NameServers } from './name-servers.js'
import type { Presence } from './presence.js'
import type { RouteTable } from './route-table.js'

export interface Cluster {
  readonly ports: AllPorts
  readonly clientId: string
  readonly requestTimeoutMs: number
  readonly names: NameServers
  readonly routes: RouteTable
  readonly brokers: BrokerChannels
  readonly presence: Presence
  readonly halves: HalfBrokers
  readonly keyOrder: KeyOrder
  readonly groups: Groups
  /** Gives what a broker asks, or would ask, to whoever wants to know. */
  hand<Req, Res>(codec: RequestCodec<Req, Res>, payload: Req): void
}

/**
 * Does for a cluster what a Sagalog broker does for the request. `deadlineMs` is a time of the
 * monotonic clock; `timeLeft` says what remains for one request under way.
 */
export type Translation<Req, Res> = (
  cluster: Cluster,
  request: Req,
  deadlineMs: number,
) => Promise<Reply<Res>>

/** The same without an answer; false when nothing was sent. */
export type OneWayTranslation<Req> = (cluster: Cluster, request: Req) => boolean

/** Milliseconds until the deadline, at least one. */
export const timeLeft = ({ ports }: Cluster, deadlineMs: number): number =>
  Math.max(1, deadlineMs - ports.clock.monotonicMs())

/** Asks the broker at an address, within the deadline. */
export function askBroker<Req, Res>(
  cluster: Cluster,
  address: string,
  { codec, deadlineMs, payload }: Question<Req, Res>,
): Promise<Reply<Res>> {
  return brokerAt(cluster, address).request(codec, payload, {
    timeoutMs: timeLeft(cluster, deadlineMs),
  })
}

export interface Question<Req, Res> {
  readonly codec: RequestCodec<Req, Res>
  readonly payload: Req
  readonly deadlineMs: number
}

const brokerAt = ({ brokers }: Cluster, address: string): Connection => brokers.at(address)
