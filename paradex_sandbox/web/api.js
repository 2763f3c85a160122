// REST: Paradex's own under /v1, the sandbox's control surface under /sandbox.

const TIMEOUT_MS = 10000;

export class ApiError extends Error {
  /** `status` is the HTTP status, 0 if there was no answer. */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The answer's JSON, null if it is empty. Throws ApiError. */
export async function call(method, path, body, timeout = TIMEOUT_MS) {
  let response, answer;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
    });
    answer = await response.text();
  } catch (error) {
    const reason = error.name === "TimeoutError" ? `no answer within ${timeout / 1000} s` : "the sandbox does not answer";
    throw new ApiError(`${method} ${path}: ${reason}`, 0);
  }
  let json = null;
  try {
    json = answer ? JSON.parse(answer) : null;
  } catch {
    throw new ApiError(`${method} ${path}: HTTP ${response.status}, and no JSON`, response.status);
  }
  if (!response.ok) throw new ApiError(json?.message ?? `${method} ${path}: HTTP ${response.status}`, response.status);
  return json;
}

export const get = (path) => call("GET", path);
