/** What can be wrong with what a peer sent, or with a value that does not fit the wire. */
import { defineErrors } from '@sagalog/kernel'

export const ProtocolError = defineErrors('ProtocolError', {
  FRAME_TOO_LARGE: {
    text: 'a frame of {bytes} bytes; at most {max} are allowed',
    advice: 'Send less in one request.',
    retry: 'never',
    state: 'unchanged',
  },
  FRAME_MALFORMED: {
    text: '{what} at byte {at} of a frame',
    advice: 'The other end does not speak this protocol, or bytes were damaged; connect again.',
    retry: 'never',
    state: 'unknown',
  },
  HEADER_KIND_UNKNOWN: {
    text: 'header kind {kind} is neither JSON (0) nor binary (1)',
    advice: 'The other end does not speak this protocol.',
    retry: 'never',
    state: 'unknown',
  },
  FIELD_MISSING: {
    text: 'the custom field <{field}> is null',
    advice: 'Send the field.',
    retry: 'never',
    state: 'unchanged',
  },
  FIELD_INVALID: {
    text: 'field {field} can not be {value}',
    advice: 'Send a value of the documented form.',
    retry: 'never',
    state: 'unchanged',
  },
  BODY_MALFORMED: {
    text: '{what} at byte {at} of a body',
    advice: 'Both ends must speak the same version of this request.',
    retry: 'never',
    state: 'unchanged',
  },
  MESSAGE_MALFORMED: {
    text: '{what} at byte {at} of a stored message',
    advice: 'The bytes are damaged or not a stored message.',
    retry: 'never',
    state: 'unchanged',
  },
  PROPERTY_INVALID: {
    text: 'property {name}: {reason}',
    advice: 'Choose another name or value.',
    retry: 'never',
    state: 'unchanged',
  },
  TOO_LARGE: {
    text: '{what} of {bytes}; at most {max} are allowed',
    advice: 'Split it.',
    retry: 'never',
    state: 'unchanged',
  },
})
export type ProtocolError = InstanceType<typeof ProtocolError>
