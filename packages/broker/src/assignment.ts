/**
 * Who should hold which queue of a topic: members and queues in order, contiguous ranges, the first
 * members one more where it does not come out even (RocketMQ's AVG strategy). Topic by topic, so
 * that queue k of two topics with the same number of queues goes to the same member. Pure.
 */
export function ownerOf(queueId: number, queues: number, members: readonly string[]): string {
  const share = Math.floor(queues / members.length)
  const larger = queues % members.length
  const inLarger = larger * (share + 1)
  const index =
    queueId < inLarger
      ? Math.floor(queueId / (share + 1))
      : larger + Math.floor((queueId - inLarger) / Math.max(1, share))
  return members[index] ?? ''
}
