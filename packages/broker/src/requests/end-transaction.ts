/**
 * END_TRANSACTION: the second confirmation. It names its half message; the first decision stands,
 * and a later one is told so and flips nothing. A commit writes the message and the decision as
 * one.
 */
import type { LogRecord } from '@sagalog/kernel'
import { type EndTransactionRequest, ResponseCode } from '@sagalog/protocol'
import { type Call, refused } from '../core.js'
import { committedDraft, Placement } from '../messages.js'
import { decisionDraft } from '../records/facts.js'
import type { Decision } from '../sequence.js'

export function endTransaction(call: Call, request: EndTransactionRequest): void {
  const { log, state } = call.core
  const half = state.halves.get(request.commitLogOffset)
  if (half === undefined || request.decision !== 'commit') {
    call.sequence(() => decide(call, request, undefined))
    return
  }
  const known = log.peek(half.half)
  if (known !== undefined) {
    call.sequence(() => decide(call, request, known))
    return
  }
  log.read(half.half).then(
    (record) => call.sequence(() => decide(call, request, record)),
    (error: unknown) =>
      call.refuse({
        code: ResponseCode.SYSTEM_ERROR,
        remark: `the half can't be read: ${String(error)}`,
      }),
  )
}

function decide(
  call: Call,
  request: EndTransactionRequest,
  record: LogRecord | undefined,
): Decision {
  const { core } = call
  const half = core.state.halves.get(request.commitLogOffset)
  if (half === undefined) return decided(call, request)
  if (half.group !== request.producerGroup) {
    return refused(call, { code: ResponseCode.SYSTEM_ERROR, remark: 'The producer group wrong' })
  }
  const { decision } = request
  if (decision === 'unknown')
    return { drafts: [], applied: (end) => call.answer({ outcome: 'unknown' }, end) }
  const fact = decisionDraft({ half: half.half, outcome: decision })
  const applied: Decision['applied'] = (end) => call.answer({ outcome: decision }, end)
  if (decision === 'rollback') return { drafts: [fact], applied }
  if (record === undefined) {
    const remark = 'Find prepared transaction message failed'
    return refused(call, { code: ResponseCode.SYSTEM_ERROR, remark })
  }
  const message = committedDraft(core, record, new Placement(core.state.queues))
  return { drafts: [message, fact], applied }
}

/** The answer for a half that is not open: the decision that stands, when it is remembered. */
function decided(call: Call, request: EndTransactionRequest): Decision {
  const outcome = call.core.state.halves.outcome(request.commitLogOffset)
  if (outcome === undefined) {
    const remark = 'Find prepared transaction message failed'
    return refused(call, { code: ResponseCode.SYSTEM_ERROR, remark })
  }
  const isSame = request.decision === outcome || request.decision === 'unknown'
  const code = isSame ? ResponseCode.SUCCESS : ResponseCode.ALREADY_DECIDED
  return { drafts: [], applied: (end) => call.answer({ outcome }, end, { code }) }
}
