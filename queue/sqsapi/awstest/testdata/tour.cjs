// Drives every action of SQS with @aws-sdk/client-sqs, against RESTANTE_ENDPOINT.
//
// The SDK checks the MD5 of bodies; that of attributes is checked here.
"use strict";

const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const sdk = require("@aws-sdk/client-sqs");

const endpoint = process.env.RESTANTE_ENDPOINT;
const account = "000000000000";
const options = {
  region: "us-east-1",
  credentials: { accessKeyId: "AKID", secretAccessKey: "SECRET" },
  maxAttempts: 1,
};
const sqs = new sdk.SQS({ ...options, endpoint });

const body = 'h\u00e9llo <&> "w\u00f6rld" ]]> \u{1f600}\r\n\ttab\rreturn \u2028 &#13; %41+';

const arn = (name) => `arn:aws:sqs:us-east-1:${account}:${name}`;
const md5 = (text) => createHash("md5").update(text, "utf8").digest("hex");

// attributesMD5 is the MD5 of message attributes, as SDKs that check it compute it.
function attributesMD5(attributes) {
  const hash = createHash("md5");
  const add = (data) => {
    const bytes = Buffer.from(data);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  for (const name of Object.keys(attributes).sort()) {
    const { DataType, StringValue, BinaryValue } = attributes[name];
    add(name);
    add(DataType);
    hash.update(Buffer.from([DataType.startsWith("Binary") ? 2 : 1]));
    add(DataType.startsWith("Binary") ? BinaryValue : StringValue);
  }
  return hash.digest("hex");
}

const create = async (QueueName, Attributes, tags) =>
  (await sqs.createQueue({ QueueName, Attributes, tags })).QueueUrl;

// fails expects an error of a name, with the class that the SDK has for it, and
// with a status. Errors that the service's model lacks have the name that they had
// in the Query protocol.
async function fails(name, status, call) {
  await assert.rejects(call, (e) => {
    const seen = `${e.name} (${e.Code}), status ${e.$metadata?.httpStatusCode}: ${e.message}`;
    assert.ok(e instanceof sdk.SQSServiceException, seen);
    if (sdk[name]) {
      assert.ok(e instanceof sdk[name], `${seen}, want ${name}`);
    } else {
      assert.equal(e.name, name, seen);
    }
    assert.equal(e.$metadata.httpStatusCode, status, seen);
    assert.ok(e.$metadata.requestId, "a request ID");
    assert.ok(e.message, seen);
    return true;
  });
}

const tests = {
  async queues() {
    const url = await create("queues", { VisibilityTimeout: "60" }, { team: "a" });
    assert.equal(url, `${endpoint}/${account}/queues`);
    assert.equal(await create("queues"), url);
    assert.equal((await sqs.getQueueUrl({ QueueName: "queues" })).QueueUrl, url);
    await fails("QueueNameExists", 400, () => create("queues", { DelaySeconds: "7" }));
    await fails("QueueDoesNotExist", 400, () => sqs.getQueueUrl({ QueueName: "nobody" }));

    const urls = [];
    for (let i = 0; i < 5; i++) urls.push(await create(`page-${i}`));
    assert.deepEqual((await sqs.listQueues({ QueueNamePrefix: "page-" })).QueueUrls, urls);
    assert.equal((await sqs.listQueues({ QueueNamePrefix: "no-such-" })).QueueUrls, undefined);
    const pages = [];
    for await (const page of sdk.paginateListQueues({ client: sqs, pageSize: 2 }, { QueueNamePrefix: "page-" })) {
      pages.push(page.QueueUrls);
    }
    assert.deepEqual(pages.map((p) => p.length), [2, 2, 1]);
    assert.deepEqual(pages.flat(), urls);
    for (const QueueUrl of urls) await sqs.deleteQueue({ QueueUrl });
    await fails("QueueDoesNotExist", 400, () => sqs.deleteQueue({ QueueUrl: urls[0] }));
  },

  async attributes() {
    const QueueUrl = await create("attributes");
    const { Attributes: all } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] });
    assert.equal(all.QueueArn, arn("attributes"));
    assert.equal(all.VisibilityTimeout, "30");
    assert.equal(all.FifoQueue, undefined);
    await create("attributes-dead");
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arn("attributes-dead"), maxReceiveCount: "5" });
    await sqs.setQueueAttributes({ QueueUrl, Attributes: { VisibilityTimeout: "45", RedrivePolicy } });
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["VisibilityTimeout", "RedrivePolicy", "Policy"] });
    assert.deepEqual(Attributes, { VisibilityTimeout: "45", RedrivePolicy });
    assert.equal((await sqs.getQueueAttributes({ QueueUrl })).Attributes, undefined);
    await fails("InvalidAttributeName", 400, () => sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Nonsense"] }));
    await fails("InvalidAttributeValue", 400, () => sqs.setQueueAttributes({ QueueUrl, Attributes: { DelaySeconds: "901" } }));
  },

  async tags() {
    const QueueUrl = await create("tags", undefined, { team: "a", empty: "" });
    await sqs.tagQueue({ QueueUrl, Tags: { team: "b", Team: "\u00e9 <&>" } });
    assert.deepEqual((await sqs.listQueueTags({ QueueUrl })).Tags, { team: "b", Team: "\u00e9 <&>", empty: "" });
    await sqs.untagQueue({ QueueUrl, TagKeys: ["team", "Team", "empty", "unknown"] });
    assert.equal((await sqs.listQueueTags({ QueueUrl })).Tags, undefined);
  },

  async permissions() {
    const QueueUrl = await create("permissions");
    const one = { QueueUrl, Label: "one", AWSAccountIds: ["111122223333"], Actions: ["SendMessage", "ReceiveMessage"] };
    await sqs.addPermission(one);
    await fails("InvalidParameterValue", 400, () => sqs.addPermission(one));
    const Actions = [
      "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility",
      "GetQueueAttributes", "GetQueueUrl", "PurgeQueue", "ListDeadLetterSourceQueues",
    ];
    await fails("OverLimit", 403, () => sqs.addPermission({ ...one, Label: "two", Actions }));
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Policy"] });
    assert.equal(JSON.parse(Attributes.Policy).Statement[0].Sid, "one");
    await sqs.removePermission({ QueueUrl, Label: "one" });
    assert.equal((await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Policy"] })).Attributes, undefined);
  },

  async message() {
    const QueueUrl = await create("message");
    const MessageAttributes = {
      Hello: { DataType: "String", StringValue: "There <&> \r\n \u00e9" },
      count: { DataType: "Number.int", StringValue: "007" },
      picture: { DataType: "Binary.png", BinaryValue: Uint8Array.of(0, 1, 255, 254, 43, 47) },
    };
    const AWSTraceHeader = { DataType: "String", StringValue: "Root=1-5759e988-bd862e3fe1be46a994272793" };
    const sent = await sqs.sendMessage({
      QueueUrl, MessageBody: body, DelaySeconds: 0, MessageAttributes, MessageSystemAttributes: { AWSTraceHeader },
    });
    assert.equal(sent.MD5OfMessageBody, md5(body));
    assert.equal(sent.MD5OfMessageAttributes, attributesMD5(MessageAttributes));
    assert.equal(sent.MD5OfMessageSystemAttributes, attributesMD5({ AWSTraceHeader }));
    assert.equal(sent.SequenceNumber, undefined);

    const { Messages } = await sqs.receiveMessage({
      QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageSystemAttributeNames: ["All"], MessageAttributeNames: ["All"],
    });
    assert.equal(Messages.length, 1);
    const m = Messages[0];
    assert.equal(m.Body, body);
    assert.equal(m.MessageId, sent.MessageId);
    assert.equal(m.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
    assert.equal(attributesMD5(m.MessageAttributes), sent.MD5OfMessageAttributes);
    assert.equal(m.Attributes.ApproximateReceiveCount, "1");
    assert.equal(m.Attributes.AWSTraceHeader, AWSTraceHeader.StringValue);
    assert.match(m.Attributes.SentTimestamp, /^\d+$/);

    // Back at once, with a choice of attributes whose MD5 is theirs.
    await sqs.changeMessageVisibility({ QueueUrl, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0 });
    const { Messages: [again] } = await sqs.receiveMessage({
      QueueUrl, WaitTimeSeconds: 20, VisibilityTimeout: 0, AttributeNames: ["ApproximateReceiveCount"], MessageAttributeNames: ["Hel.*"],
    });
    assert.deepEqual(again.Attributes, { ApproximateReceiveCount: "2" });
    assert.deepEqual(again.MessageAttributes, { Hello: MessageAttributes.Hello });
    assert.equal(again.MD5OfMessageAttributes, attributesMD5({ Hello: MessageAttributes.Hello }));
    const { Messages: [last] } = await sqs.receiveMessage({ QueueUrl, WaitTimeSeconds: 20 });
    assert.equal(last.Attributes, undefined);
    assert.equal(last.MessageAttributes, undefined);
    assert.equal(last.MD5OfMessageAttributes, undefined);
    for (let i = 0; i < 2; i++) await sqs.deleteMessage({ QueueUrl, ReceiptHandle: last.ReceiptHandle });
    assert.equal((await sqs.receiveMessage({ QueueUrl })).Messages, undefined);

    await fails("InvalidParameterValue", 400, () => sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 11 }));
    await fails("InvalidParameterValue", 400, () => sqs.sendMessage({ QueueUrl, MessageBody: "x".repeat((1 << 20) + 1) }));
    await fails("MissingParameter", 400, () => sqs.sendMessage({ QueueUrl, MessageBody: "" }));
    await fails("InvalidMessageContents", 400, () => sqs.sendMessage({ QueueUrl, MessageBody: "\u000b" }));
    await fails("ReceiptHandleIsInvalid", 404, () => sqs.deleteMessage({ QueueUrl, ReceiptHandle: "garbage" }));
  },

  async batches() {
    const QueueUrl = await create("batches");
    const sent = await sqs.sendMessageBatch({
      QueueUrl,
      Entries: [
        { Id: "a", MessageBody: "body a", MessageAttributes: { k: { DataType: "String", StringValue: "x" } } },
        { Id: "b", MessageBody: body },
        { Id: "late", MessageBody: "body", DelaySeconds: 901 },
        { Id: "bad", MessageBody: "\u000b" },
      ],
    });
    assert.deepEqual(sent.Successful.map((e) => e.Id), ["a", "b"]);
    assert.equal(sent.Successful[0].MD5OfMessageAttributes, "a45daa70926828a2f0a1db3418e6feb4");
    assert.equal(sent.Successful[1].MD5OfMessageBody, md5(body));
    assert.deepEqual(sent.Failed.map((e) => [e.Id, e.Code, e.SenderFault]), [
      ["late", "InvalidParameterValue", true], ["bad", "InvalidMessageContents", true],
    ]);

    const receive = async () => (await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 })).Messages;
    let got = await receive();
    assert.deepEqual(got.map((m) => m.Body).sort(), ["body a", body].sort());
    const changed = await sqs.changeMessageVisibilityBatch({
      QueueUrl,
      Entries: [
        ...got.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle, VisibilityTimeout: 0 })),
        { Id: "long", ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 43201 },
      ],
    });
    assert.deepEqual(changed.Successful.map((e) => e.Id), ["0", "1"]);
    assert.deepEqual(changed.Failed.map((e) => [e.Id, e.Code]), [["long", "InvalidParameterValue"]]);
    got = await receive();
    const Entries = got.map(({ ReceiptHandle }, i) => ({ Id: `m-${i}`, ReceiptHandle }));
    const deleted = await sqs.deleteMessageBatch({ QueueUrl, Entries: [...Entries, { Id: "none", ReceiptHandle: "garbage" }] });
    assert.deepEqual(deleted.Successful.map((e) => e.Id), ["m-0", "m-1"]);
    assert.deepEqual(deleted.Failed.map((e) => [e.Id, e.Code, e.SenderFault]), [["none", "ReceiptHandleIsInvalid", true]]);

    const entry = (i, text = "x") => ({ Id: `${i}`, MessageBody: text });
    for (const [name, bad] of [
      ["EmptyBatchRequest", []],
      ["TooManyEntriesInBatchRequest", Array.from({ length: 11 }, (_, i) => entry(i))],
      ["BatchEntryIdsNotDistinct", [entry(1), entry(1)]],
      ["InvalidBatchEntryId", [entry("no spaces")]],
      ["BatchRequestTooLong", [entry(1, "x".repeat(600 << 10)), entry(2, "x".repeat(600 << 10))]],
    ]) {
      await fails(name, 400, () => sqs.sendMessageBatch({ QueueUrl, Entries: bad }));
    }
    await sqs.sendMessage({ QueueUrl, MessageBody: "x" });
    await sqs.purgeQueue({ QueueUrl });
    assert.equal((await sqs.receiveMessage({ QueueUrl })).Messages, undefined);
  },

  async fifo() {
    const QueueUrl = await create("orders.fifo", { FifoQueue: "true", ContentBasedDeduplication: "true" });
    const sent = [];
    for (const MessageBody of ["one", "two", "one"]) {
      sent.push(await sqs.sendMessage({ QueueUrl, MessageBody, MessageGroupId: "g" }));
    }
    assert.equal(sent[2].MessageId, sent[0].MessageId);
    assert.equal(sent[2].SequenceNumber, sent[0].SequenceNumber);
    assert.ok(sent[0].SequenceNumber < sent[1].SequenceNumber);
    const attempt = {
      QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageSystemAttributeNames: ["All"], ReceiveRequestAttemptId: "once",
    };
    const { Messages: got } = await sqs.receiveMessage(attempt);
    const { Messages: same } = await sqs.receiveMessage(attempt);
    assert.deepEqual(got.map((m) => m.Body), ["one", "two"]);
    assert.deepEqual(same.map((m) => m.ReceiptHandle), got.map((m) => m.ReceiptHandle));
    assert.deepEqual(got.map((m) => m.Attributes.SequenceNumber), sent.slice(0, 2).map((m) => m.SequenceNumber));
    await fails("MissingParameter", 400, () => sqs.sendMessage({ QueueUrl, MessageBody: "x" }));
    for (const { ReceiptHandle } of got) await sqs.deleteMessage({ QueueUrl, ReceiptHandle });
  },

  async deadLetters() {
    const dead = await create("dead");
    await create("other");
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: arn("dead"), maxReceiveCount: 1 });
    const sources = [];
    for (let i = 0; i < 3; i++) sources.push(await create(`source-${i}`, { RedrivePolicy }));
    assert.deepEqual((await sqs.listDeadLetterSourceQueues({ QueueUrl: dead })).queueUrls, sources);
    assert.deepEqual((await sqs.listDeadLetterSourceQueues({ QueueUrl: sources[0] })).queueUrls, []);
    const pages = [];
    for await (const page of sdk.paginateListDeadLetterSourceQueues({ client: sqs, pageSize: 2 }, { QueueUrl: dead })) {
      pages.push(page.queueUrls.length);
    }
    assert.deepEqual(pages, [2, 1]);

    const sent = await sqs.sendMessage({ QueueUrl: sources[0], MessageBody: body });
    await sqs.receiveMessage({ QueueUrl: sources[0], WaitTimeSeconds: 20, VisibilityTimeout: 0 });
    assert.equal((await sqs.receiveMessage({ QueueUrl: sources[0] })).Messages, undefined);
    const { Messages: [letter] } = await sqs.receiveMessage({
      QueueUrl: dead, WaitTimeSeconds: 20, VisibilityTimeout: 0, MessageSystemAttributeNames: ["All"],
    });
    assert.equal(letter.MessageId, sent.MessageId);
    assert.equal(letter.Attributes.DeadLetterQueueSourceArn, arn("source-0"));

    await sqs.startMessageMoveTask({ SourceArn: arn("dead") });
    const { Messages: [back] } = await sqs.receiveMessage({ QueueUrl: sources[0], WaitTimeSeconds: 20 });
    assert.equal(back.Body, body);
    assert.notEqual(back.MessageId, sent.MessageId);

    for (let i = 0; i < 5; i++) await sqs.sendMessage({ QueueUrl: dead, MessageBody: "x" });
    let first;
    do { // the first task may be counting still
      [first] = (await sqs.listMessageMoveTasks({ SourceArn: arn("dead") })).Results;
    } while (first.Status === "RUNNING");
    assert.equal(first.Status, "COMPLETED");
    assert.equal(first.ApproximateNumberOfMessagesMoved, 1);
    assert.equal(first.TaskHandle, undefined);
    const { TaskHandle } = await sqs.startMessageMoveTask({
      SourceArn: arn("dead"), DestinationArn: arn("other"), MaxNumberOfMessagesPerSecond: 1,
    });
    const { Results } = await sqs.listMessageMoveTasks({ SourceArn: arn("dead"), MaxResults: 10 });
    assert.equal(Results.length, 2);
    assert.equal(Results[0].Status, "RUNNING");
    assert.equal(Results[0].TaskHandle, TaskHandle);
    assert.equal(Results[0].DestinationArn, arn("other"));
    assert.equal(Results[0].ApproximateNumberOfMessagesToMove, 5);
    assert.ok(Results[0].StartedTimestamp > 1600000000000);
    const cancelled = await sqs.cancelMessageMoveTask({ TaskHandle });
    assert.ok(cancelled.ApproximateNumberOfMessagesMoved < 5);
    await fails("ResourceNotFoundException", 404, () => sqs.startMessageMoveTask({ SourceArn: arn("nobody") }));
  },

  // Without an endpoint, the SDK sends to where the queue's URL points.
  async queueURLAsEndpoint() {
    const QueueUrl = await create("by-url");
    const other = new sdk.SQS(options);
    await other.sendMessage({ QueueUrl, MessageBody: body });
    const { Messages } = await other.receiveMessage({ QueueUrl, WaitTimeSeconds: 20 });
    assert.equal(Messages[0].Body, body);
    other.destroy();
  },
};

async function main() {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log("ok  ", name);
    } catch (e) {
      failed++;
      console.log("FAIL", name, e);
    }
  }
  sqs.destroy();
  process.exitCode = failed ? 1 : 0;
}

main();
