/**
 * What a person reads when something went wrong: a sentence, the innermost cause when the sentence
 * does not hold it already, and what to do. Only what nobody foresaw keeps its stack.
 */
import { isSagalogError } from '@sagalog/kernel'

/** Every error from the outermost to the one that began it. */
function chainOf(thrown: unknown): readonly unknown[] {
  const chain: unknown[] = []
  for (let at: unknown = thrown; at !== undefined && at !== null && !chain.includes(at);) {
    chain.push(at)
    at = at instanceof Error ? at.cause : undefined
  }
  return chain
}

/** The message without the code in front of it. */
const sentenceOf = (error: Error): string => error.message.replace(/^\w+: /, '')

/** The lines for a terminal, the first one the sentence. */
export function errorText(thrown: unknown): string {
  if (!isSagalogError(thrown)) {
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
    return `this should not have happened, please report it: ${text}`
  }
  // What the system said is in the sentence of the error that was made from it.
  const innermost = chainOf(thrown).findLast((error) => isSagalogError(error)) ?? thrown
  const sentence = sentenceOf(thrown)
  const cause = sentenceOf(innermost)
  const lines = sentence.includes(cause) ? [sentence] : [sentence, `cause: ${cause}`]
  // Nearest to the cause is the advice that concerns it.
  return [...lines, innermost.advice].join('\n')
}
