/** What the client needs of the machine: time and randomness. Channels come with `connect`. */
import { type Clock, type Hops, noHops, type Random } from '@sagalog/kernel'

export interface ClientPorts {
  readonly clock: Clock
  readonly random: Random
  /** Told each time a message passes a hop. */
  readonly hops?: Hops
}

/** The same with nothing left out. */
export type AllPorts = Required<ClientPorts>

export function allPorts(ports: ClientPorts): AllPorts {
  return { clock: ports.clock, random: ports.random, hops: ports.hops ?? noHops }
}
