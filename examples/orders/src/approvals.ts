/**
 * Stands for the person who approves large orders. It is asked by the sagas that wait, and its
 * answer depends on the order alone. It keeps nothing: what a process that died was asked is asked
 * again, and the first answer counts.
 */
import { ClientError, type Problem } from '@sagalog/client'
import { type Clock, sleep } from '@sagalog/kernel'
import { SagaError, type SagaRuntime } from '@sagalog/saga'
import { orderOfSaga, orderSaga, sagaIdOf } from './order-saga.js'
import { isApproved } from './topics.js'

export interface Approvals {
  /** Answers for an order whose saga may have been asking before this process began. */
  answer(order: number): Promise<void>
  close(): void
}

const RETRY_MS = 20

/** Answers whoever asks from now on. */
export function createApprovals(
  runtime: SagaRuntime,
  { clock, onProblem }: { clock: Clock; onProblem: (problem: Problem) => void },
): Approvals {
  const sagas = runtime.of(orderSaga)
  let isClosed = false

  async function answer(order: number): Promise<void> {
    for (;;) {
      if (isClosed) return
      try {
        const said = { by: 'a clerk', isApproved: isApproved(order) }
        await sagas.signal(sagaIdOf(order), 'approval', said)
        return
      } catch (thrown) {
        // It has not begun yet: it will ask.
        if (SagaError.is(thrown) && thrown.code === 'NOT_FOUND') return
        if (isClosed) return
        if (!ClientError.is(thrown) || thrown.retry === 'never')
          return onProblem({ what: `the approval of order ${order}`, cause: thrown })
      }
      await sleep(clock, RETRY_MS)
    }
  }

  const stop = runtime.onStep(({ sagaId, step, move }) => {
    const order = orderOfSaga(sagaId)
    if (step === 'approval' && move === 'started' && order !== undefined) void answer(order)
  })
  return {
    answer,
    close() {
      isClosed = true
      stop()
    },
  }
}
