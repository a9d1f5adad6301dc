/**
 * What a send with a number is to the broker: one that is stored already, one that has to wait for
 * another, or a new one. Read from the sequenced state, so two tries of one send in the same gather
 * see each other. A send without the bit SEQUENCED is always new: unique ids alone prove nothing.
 */
import type { Draft } from '@sagalog/kernel'
import { MessageSysFlag, ResponseCode, type SendHeader, type SendNumber } from '@sagalog/protocol'
import { sendNumberIn } from '@sagalog/protocol'
import type { Core, Refusal } from './core.js'
import type { SendWindow } from './folds/send-window.js'
import { SEND_PLACES_KEPT } from './limits.js'
import { producerDraft, producerEndDraft } from './records/producer-facts.js'

export type NumberedSend =
  /** To be stored, with these facts in front. */
  | { readonly facts: readonly Draft[] }
  /** Stored before; the window has its place. */
  | { readonly window: SendWindow; readonly number: number }
  | { readonly refusal: Refusal }

const NEW: NumberedSend = { facts: [] }

export const isSequenced = ({ sysFlag }: SendHeader): boolean =>
  (sysFlag & MessageSysFlag.SEQUENCED) !== 0

/** `properties` are those of the message, or of the first of a batch. */
export function numberedSend(core: Core, header: SendHeader, properties: string): NumberedSend {
  if (!isSequenced(header)) return NEW
  const send = sendNumberIn(properties)
  if (send === undefined) {
    const remark = 'the send is marked as numbered, but its unique id holds no number'
    return { refusal: { code: ResponseCode.MESSAGE_ILLEGAL, remark } }
  }
  const { producers } = core.state
  const window = producers.get(send.producer)
  const { number } = send
  if (window?.has(number) === true) return { window, number }
  return refusalOf(send, header.behind, window) ?? { facts: factsFor(core, send, window) }
}

function refusalOf(
  { floor, number }: SendNumber,
  behind: number | undefined,
  window: SendWindow | undefined,
): { refusal: Refusal } | undefined {
  // Without the window nobody knows what became of those below the floor, nor of this one.
  if (window === undefined ? floor > 0 : number < window.floor) {
    const remark = 'the earlier sends of this producer are not remembered any more'
    return { refusal: { code: ResponseCode.PRODUCER_FORGOTTEN, remark } }
  }
  const isFree = behind === undefined || behind < Math.max(floor, window?.floor ?? 0)
  if (isFree || window?.has(behind) === true) return undefined
  const remark = 'the send that it stands behind is not stored yet'
  return { refusal: { code: ResponseCode.SYSTEM_BUSY, remark } }
}

/** A new producer is written down, and the idlest makes room where there is none. */
function factsFor(core: Core, send: SendNumber, window: SendWindow | undefined): readonly Draft[] {
  const { producers } = core.state
  const { floor, number, producer } = send
  if (window !== undefined && number - Math.max(floor, window.floor) < window.places) return []
  const isCrowded = producers.places >= SEND_PLACES_KEPT
  const isFull = window === undefined && producers.count >= core.settings.producersKept
  const idlest = isCrowded || isFull ? producers.idlest() : undefined
  const ends =
    idlest === undefined || idlest.producer === producer ? [] : [producerEndDraft(idlest.producer)]
  if (window !== undefined) return ends
  return [...ends, producerDraft({ producer, floor, stored: [] })]
}
