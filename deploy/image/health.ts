// The health check of an image that has no curl: asks the process beside it, which has the same environment.
import { get } from "node:http";
import { reachable } from "#local/addresses.ts";

const answerMs = 4_000;

/** 0 if `path` answers 200 on HTTP_PORT; else 1, and stderr has the answer or why there is none. */
export function checkHealth(env: Record<string, string | undefined>, path = "/readyz"): Promise<number> {
  const url = `http://${reachable(env["LISTEN_HOST"] || "127.0.0.1")}:${env["HTTP_PORT"]}${path}`;
  return new Promise((resolve) => {
    const fail = (why: string): void => {
      process.stderr.write(`${url}: ${why}\n`);
      resolve(1);
    };
    if (!URL.canParse(url)) return fail("HTTP_PORT must be set as it is for the process");
    const request = get(url, { timeout: answerMs }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("end", () => (response.statusCode === 200 ? resolve(0) : fail(body.trim())));
      response.on("error", (error) => fail(error.message));
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${answerMs} ms`)));
    request.on("error", (error) => fail(error.message));
  });
}
