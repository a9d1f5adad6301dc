/**
 * What a customer may reserve, as a decider over the customer's stream: at most ten unreleased CDs
 * in a calendar quarter. Pure. A refusal is an event too, so that it is counted like everything
 * else.
 */
import { decider } from '@sagalog/event-store'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { InventoryEvents, type InventoryEvent } from './topics.js'

export const CDS_PER_QUARTER_MAX = 10

export interface InventoryState {
  /** Unreleased CDs by quarter. */
  readonly held: Readonly<Record<string, number>>
  /** The reservations that can still be released, by order. */
  readonly open: Readonly<Record<number, number>>
}

const Request = t.type({ order: t.number, quarter: t.string, cds: t.number })

const { make } = InventoryEvents
type Decided = E.Either<never, readonly InventoryEvent[]>

function holding(
  state: InventoryState,
  quarter: string,
  by: number,
): Readonly<Record<string, number>> {
  return { ...state.held, [quarter]: (state.held[quarter] ?? 0) + by }
}

const initial: InventoryState = { held: {}, open: {} }

export const inventoryRules = decider(InventoryEvents, initial)
  .evolve({
    Reserved: (state, { order, quarter, cds }) => ({
      held: holding(state, quarter, cds),
      open: { ...state.open, [order]: cds },
    }),
    ReserveRefused: (state) => state,
    Released: (state, { order, quarter, cds }) => {
      const { [order]: _released, ...open } = state.open
      return { held: holding(state, quarter, -cds), open }
    },
  })
  .decide(
    { Reserve: Request, Release: Request },
    {
      Reserve: (request, state): Decided => {
        const used = state.held[request.quarter] ?? 0
        const hasRoom = used + request.cds <= CDS_PER_QUARTER_MAX
        return E.right([hasRoom ? make.Reserved(request) : make.ReserveRefused(request)])
      },
      // The release follows its reservation in one queue; after a refusal there is nothing to do.
      Release: (request, state): Decided =>
        E.right(state.open[request.order] === undefined ? [] : [make.Released(request)]),
    },
  )
