"""Drives every action of SQS with boto3, against RESTANTE_ENDPOINT.

botocore checks no MD5, so this does.
"""

import hashlib
import json
import os
import struct
import sys
import unittest

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["RESTANTE_ENDPOINT"]
ACCOUNT = "000000000000"

sqs = boto3.client(
    "sqs",
    endpoint_url=ENDPOINT,
    region_name="us-east-1",
    aws_access_key_id="AKID",
    aws_secret_access_key="SECRET",
    config=Config(retries={"total_max_attempts": 1}),
)

BODY = "h\u00e9llo <&> \"w\u00f6rld\" ]]> \U0001f600\r\n\ttab\rreturn \u2028 &#13; %41+"


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def attributes_md5(attributes):
    """The MD5 of message attributes, as SDKs that check it compute it."""
    digest = hashlib.md5()

    def add(data):
        digest.update(struct.pack(">I", len(data)) + data)

    for name in sorted(attributes):
        value = attributes[name]
        add(name.encode())
        add(value["DataType"].encode())
        if value["DataType"].startswith("Binary"):
            digest.update(b"\x02")
            add(value["BinaryValue"])
        else:
            digest.update(b"\x01")
            add(value["StringValue"].encode())
    return digest.hexdigest()


def create(name, attributes=None, **more):
    return sqs.create_queue(QueueName=name, Attributes=attributes or {}, **more)["QueueUrl"]


def arn(name):
    return "arn:aws:sqs:us-east-1:" + ACCOUNT + ":" + name


class Tour(unittest.TestCase):
    maxDiff = None

    def fails(self, error, status, call, **arguments):
        """Asserts that a call fails with an error code, or one of the SDK's exceptions."""
        with self.assertRaises(ClientError) as raised:
            call(**arguments)
        e = raised.exception
        if isinstance(error, str):
            self.assertEqual(e.response["Error"]["Code"], error, e)
        else:
            self.assertIsInstance(e, error)
        self.assertEqual(e.response["ResponseMetadata"]["HTTPStatusCode"], status, e)
        self.assertEqual(e.response["Error"].get("Type"), "Sender", e)
        self.assertTrue(e.response["ResponseMetadata"].get("RequestId"), e.response)
        return e.response["Error"]["Message"]

    def test_queues(self):
        url = create("queues", {"VisibilityTimeout": "60"}, tags={"team": "a", "empty": ""})
        self.assertEqual(url, ENDPOINT + "/" + ACCOUNT + "/queues")
        self.assertEqual(create("queues"), url)
        self.assertEqual(sqs.get_queue_url(QueueName="queues")["QueueUrl"], url)
        self.assertEqual(sqs.get_queue_url(QueueName="queues", QueueOwnerAWSAccountId=ACCOUNT)["QueueUrl"], url)
        message = self.fails("QueueAlreadyExists", 400, sqs.create_queue, QueueName="queues", Attributes={"DelaySeconds": "7"})
        self.assertEqual(message, "A queue already exists with the same name and a different value for attribute DelaySeconds")
        message = self.fails(sqs.exceptions.QueueDoesNotExist, 400, sqs.get_queue_url, QueueName="nobody")
        self.assertEqual(message, "The specified queue does not exist for this wsdl version.")
        self.fails("AWS.SimpleQueueService.NonExistentQueue", 400, sqs.get_queue_url, QueueName="nobody")

        names = ["page-%d" % i for i in range(5)]
        urls = [create(name) for name in names]
        self.assertEqual(sqs.list_queues(QueueNamePrefix="page-")["QueueUrls"], urls)
        self.assertNotIn("QueueUrls", sqs.list_queues(QueueNamePrefix="no-such-"))
        pages = list(
            sqs.get_paginator("list_queues").paginate(QueueNamePrefix="page-", PaginationConfig={"PageSize": 2})
        )
        self.assertEqual([len(page["QueueUrls"]) for page in pages], [2, 2, 1])
        self.assertEqual([u for page in pages for u in page["QueueUrls"]], urls)
        for u in urls:
            sqs.delete_queue(QueueUrl=u)
        self.fails(sqs.exceptions.QueueDoesNotExist, 400, sqs.delete_queue, QueueUrl=urls[0])

    def test_attributes(self):
        url = create("attributes")
        everything = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        self.assertEqual(everything["QueueArn"], arn("attributes"))
        self.assertEqual(everything["VisibilityTimeout"], "30")
        self.assertEqual(everything["ApproximateNumberOfMessages"], "0")
        self.assertNotIn("FifoQueue", everything)
        redrive = json.dumps({"deadLetterTargetArn": arn("attributes-dead"), "maxReceiveCount": "5"})
        create("attributes-dead")
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "45", "RedrivePolicy": redrive})
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout", "RedrivePolicy", "Policy"])["Attributes"]
        self.assertEqual(got, {"VisibilityTimeout": "45", "RedrivePolicy": redrive})
        self.assertNotIn("Attributes", sqs.get_queue_attributes(QueueUrl=url))
        self.fails(sqs.exceptions.InvalidAttributeName, 400, sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Nonsense"])
        self.fails("InvalidAttributeValue", 400, sqs.set_queue_attributes, QueueUrl=url, Attributes={"DelaySeconds": "901"})

    def test_tags(self):
        url = create("tags", tags={"team": "a", "empty": ""})
        sqs.tag_queue(QueueUrl=url, Tags={"team": "b", "Team": "\u00e9 <&>"})
        self.assertEqual(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"team": "b", "Team": "\u00e9 <&>", "empty": ""})
        sqs.untag_queue(QueueUrl=url, TagKeys=["team", "Team", "empty", "unknown"])
        self.assertNotIn("Tags", sqs.list_queue_tags(QueueUrl=url))

    def test_permissions(self):
        url = create("permissions")
        sqs.add_permission(QueueUrl=url, Label="one", AWSAccountIds=["111122223333", "444455556666"], Actions=["SendMessage", "ReceiveMessage"])
        self.fails("InvalidParameterValue", 400, sqs.add_permission, QueueUrl=url, Label="one", AWSAccountIds=["111122223333"], Actions=["*"])
        self.fails(sqs.exceptions.OverLimit, 403, sqs.add_permission, QueueUrl=url, Label="two", AWSAccountIds=["111122223333"], Actions=[
            "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility",
            "GetQueueAttributes", "GetQueueUrl", "PurgeQueue", "ListDeadLetterSourceQueues",
        ])
        policy = json.loads(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"])
        statement = policy["Statement"][0]
        self.assertEqual((statement["Sid"], statement["Effect"], statement["Resource"]), ("one", "Allow", arn("permissions")))
        self.assertEqual(sorted(statement["Action"]), ["SQS:ReceiveMessage", "SQS:SendMessage"])
        sqs.remove_permission(QueueUrl=url, Label="one")
        self.assertNotIn("Attributes", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]))
        self.fails("InvalidParameterValue", 400, sqs.remove_permission, QueueUrl=url, Label="one")

    def test_message(self):
        url = create("message")
        attributes = {
            "Hello": {"DataType": "String", "StringValue": "There <&> \r\n \u00e9"},
            "count": {"DataType": "Number.int", "StringValue": "007"},
            "picture": {"DataType": "Binary.png", "BinaryValue": b"\x00\x01\xff\xfe+/="},
        }
        trace = "Root=1-5759e988-bd862e3fe1be46a994272793"
        sent = sqs.send_message(
            QueueUrl=url, MessageBody=BODY, DelaySeconds=0, MessageAttributes=attributes,
            MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": trace}},
        )
        self.assertEqual(sent["MD5OfMessageBody"], md5(BODY))
        self.assertEqual(sent["MD5OfMessageAttributes"], attributes_md5(attributes))
        self.assertEqual(
            sent["MD5OfMessageSystemAttributes"],
            attributes_md5({"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}),
        )
        self.assertNotIn("SequenceNumber", sent)

        got = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20, AttributeNames=["All"], MessageAttributeNames=["All"]
        )["Messages"]
        self.assertEqual(len(got), 1)
        m = got[0]
        self.assertEqual((m["Body"], m["MD5OfBody"], m["MessageId"]), (BODY, md5(BODY), sent["MessageId"]))
        self.assertEqual(m["MessageAttributes"], attributes)
        self.assertEqual(m["MD5OfMessageAttributes"], attributes_md5(attributes))
        self.assertEqual((m["Attributes"]["ApproximateReceiveCount"], m["Attributes"]["AWSTraceHeader"]), ("1", trace))
        self.assertTrue(m["Attributes"]["SentTimestamp"].isdigit())

        # Back at once, with a choice of attributes whose MD5 is theirs.
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"], VisibilityTimeout=0)
        again = sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=20, VisibilityTimeout=0,
            AttributeNames=["ApproximateReceiveCount"], MessageAttributeNames=["Hel.*"],
        )["Messages"][0]
        self.assertEqual(again["Attributes"], {"ApproximateReceiveCount": "2"})
        self.assertEqual(again["MessageAttributes"], {"Hello": attributes["Hello"]})
        self.assertEqual(again["MD5OfMessageAttributes"], attributes_md5({"Hello": attributes["Hello"]}))
        last = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]
        for absent in ("Attributes", "MessageAttributes", "MD5OfMessageAttributes"):
            self.assertNotIn(absent, last)
        for _ in range(2):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=last["ReceiptHandle"])
        self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url))

        self.fails("InvalidParameterValue", 400, sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
        self.fails("InvalidParameterValue", 400, sqs.receive_message, QueueUrl=url, WaitTimeSeconds=21)
        self.fails("InvalidParameterValue", 400, sqs.send_message, QueueUrl=url, MessageBody="x" * (1 << 20) + "x")
        self.fails("MissingParameter", 400, sqs.send_message, QueueUrl=url, MessageBody="")
        self.fails(sqs.exceptions.InvalidMessageContents, 400, sqs.send_message, QueueUrl=url, MessageBody="\x0b")
        self.fails(sqs.exceptions.ReceiptHandleIsInvalid, 404, sqs.delete_message, QueueUrl=url, ReceiptHandle="garbage")
        self.fails(
            "InvalidParameterValue", 400,
            sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=last["ReceiptHandle"], VisibilityTimeout=1,
        )

    def test_large_message(self):
        url = create("large")
        body = "\u00e9&\r\n<" * ((1 << 20) // 6)
        sent = sqs.send_message(QueueUrl=url, MessageBody=body)
        self.assertEqual(sent["MD5OfMessageBody"], md5(body))
        got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]
        self.assertEqual((got["MD5OfBody"], md5(got["Body"])), (md5(body), md5(body)))

    def test_batches(self):
        url = create("batches")
        out = sqs.send_message_batch(QueueUrl=url, Entries=[
            {"Id": "a", "MessageBody": "body a", "MessageAttributes": {"k": {"DataType": "String", "StringValue": "x"}}},
            {"Id": "b", "MessageBody": BODY, "DelaySeconds": 0},
            {"Id": "late", "MessageBody": "body", "DelaySeconds": 901},
            {"Id": "bad", "MessageBody": "\x0b"},
        ])
        by_id = {e["Id"]: e for e in out["Successful"]}
        self.assertEqual(sorted(by_id), ["a", "b"])
        self.assertEqual(by_id["a"]["MD5OfMessageAttributes"], "a45daa70926828a2f0a1db3418e6feb4")
        self.assertEqual(by_id["b"]["MD5OfMessageBody"], md5(BODY))
        self.assertNotIn("MD5OfMessageAttributes", by_id["b"])
        self.assertEqual(
            {e["Id"]: (e["Code"], e["SenderFault"]) for e in out["Failed"]},
            {"late": ("InvalidParameterValue", True), "bad": ("InvalidMessageContents", True)},
        )

        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20)["Messages"]
        self.assertEqual(sorted(m["Body"] for m in got), sorted(["body a", BODY]))
        out = sqs.change_message_visibility_batch(QueueUrl=url, Entries=[
            {"Id": "0", "ReceiptHandle": got[0]["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "1", "ReceiptHandle": got[1]["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "long", "ReceiptHandle": got[1]["ReceiptHandle"], "VisibilityTimeout": 43201},
        ])
        self.assertEqual(sorted(e["Id"] for e in out["Successful"]), ["0", "1"])
        self.assertEqual([(e["Id"], e["Code"]) for e in out["Failed"]], [("long", "InvalidParameterValue")])
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20)["Messages"]
        self.assertEqual(len(got), 2)
        entries = [{"Id": "m-%d" % i, "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)]
        out = sqs.delete_message_batch(QueueUrl=url, Entries=entries + [{"Id": "none", "ReceiptHandle": "garbage"}])
        self.assertEqual(sorted(e["Id"] for e in out["Successful"]), ["m-0", "m-1"])
        self.assertEqual([(e["Id"], e["Code"], e["SenderFault"]) for e in out["Failed"]], [("none", "ReceiptHandleIsInvalid", True)])
        self.assertNotIn("Failed", sqs.delete_message_batch(QueueUrl=url, Entries=entries))

        def entry(i, body="x"):
            return {"Id": str(i), "MessageBody": body}

        x = sqs.exceptions
        for error, bad in (
            (x.EmptyBatchRequest, []),
            (x.TooManyEntriesInBatchRequest, [entry(i) for i in range(11)]),
            (x.BatchEntryIdsNotDistinct, [entry(1), entry(1)]),
            (x.InvalidBatchEntryId, [entry("no spaces")]),
            (x.BatchRequestTooLong, [entry(1, "x" * (600 << 10)), entry(2, "x" * (600 << 10))]),
        ):
            self.fails(error, 400, sqs.send_message_batch, QueueUrl=url, Entries=bad)
        self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url))

    def test_purge(self):
        url = create("purge")
        sqs.send_message(QueueUrl=url, MessageBody="x")
        sqs.purge_queue(QueueUrl=url)
        self.assertNotIn("Messages", sqs.receive_message(QueueUrl=url))

    def test_fifo(self):
        self.fails("InvalidParameterValue", 400, sqs.create_queue, QueueName="fifo", Attributes={"FifoQueue": "true"})
        url = create("orders.fifo", {"FifoQueue": "true", "ContentBasedDeduplication": "true"})
        sent = [
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g", **more)
            for body, more in (("one", {}), ("two", {"MessageDeduplicationId": "2"}), ("one", {}), ("three", {}))
        ]
        self.assertEqual((sent[0]["MessageId"], sent[0]["SequenceNumber"]), (sent[2]["MessageId"], sent[2]["SequenceNumber"]))
        self.assertLess(sent[0]["SequenceNumber"], sent[1]["SequenceNumber"])
        received = [
            sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20, AttributeNames=["All"], ReceiveRequestAttemptId="once"
            )["Messages"]
            for _ in range(2)
        ]
        got = received[0]
        self.assertEqual([m["Body"] for m in got], ["one", "two", "three"])
        self.assertEqual([m["ReceiptHandle"] for m in got], [m["ReceiptHandle"] for m in received[1]])
        self.assertEqual(got[1]["Attributes"]["MessageDeduplicationId"], "2")
        self.assertEqual(got[0]["Attributes"]["MessageDeduplicationId"], hashlib.sha256(b"one").hexdigest())
        self.assertEqual([m["Attributes"]["SequenceNumber"] for m in got], [sent[i]["SequenceNumber"] for i in (0, 1, 3)])
        self.assertEqual(got[0]["Attributes"]["MessageGroupId"], "g")
        self.fails("MissingParameter", 400, sqs.send_message, QueueUrl=url, MessageBody="x")
        out = sqs.delete_message_batch(
            QueueUrl=url, Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)]
        )
        self.assertEqual(len(out["Successful"]), 3)

    def test_dead_letters(self):
        dead, other = create("dead"), create("other")
        policy = json.dumps({"deadLetterTargetArn": arn("dead"), "maxReceiveCount": 1})
        sources = [create("source-%d" % i, {"RedrivePolicy": policy}) for i in range(3)]
        listed = sqs.list_dead_letter_source_queues(QueueUrl=dead)
        self.assertEqual(listed["queueUrls"], sources)
        pages = list(
            sqs.get_paginator("list_dead_letter_source_queues").paginate(QueueUrl=dead, PaginationConfig={"PageSize": 2})
        )
        self.assertEqual([len(p["queueUrls"]) for p in pages], [2, 1])

        sent = sqs.send_message(QueueUrl=sources[0], MessageBody=BODY)
        sqs.receive_message(QueueUrl=sources[0], WaitTimeSeconds=20, VisibilityTimeout=0)
        self.assertNotIn("Messages", sqs.receive_message(QueueUrl=sources[0]))
        letter = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20, VisibilityTimeout=0, AttributeNames=["All"])["Messages"][0]
        self.assertEqual((letter["Body"], letter["MessageId"]), (BODY, sent["MessageId"]))
        self.assertEqual(letter["Attributes"]["DeadLetterQueueSourceArn"], arn("source-0"))

        sqs.start_message_move_task(SourceArn=arn("dead"))
        back = sqs.receive_message(QueueUrl=sources[0], WaitTimeSeconds=20, AttributeNames=["ApproximateReceiveCount"])["Messages"][0]
        self.assertEqual((back["Body"], back["Attributes"]["ApproximateReceiveCount"]), (BODY, "1"))
        self.assertNotEqual(back["MessageId"], sent["MessageId"])

        for _ in range(5):
            sqs.send_message(QueueUrl=dead, MessageBody="x")
        # The first task may be counting still.
        while True:
            first = sqs.list_message_move_tasks(SourceArn=arn("dead"))["Results"][0]
            if first["Status"] != "RUNNING":
                break
        self.assertEqual((first["Status"], first["ApproximateNumberOfMessagesMoved"]), ("COMPLETED", 1))
        self.assertNotIn("TaskHandle", first)
        self.assertNotIn("DestinationArn", first)
        handle = sqs.start_message_move_task(SourceArn=arn("dead"), DestinationArn=arn("other"), MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
        self.fails("InvalidParameterValue", 400, sqs.start_message_move_task, SourceArn=arn("dead"))
        tasks = sqs.list_message_move_tasks(SourceArn=arn("dead"), MaxResults=10)["Results"]
        self.assertEqual(len(tasks), 2)
        task = tasks[0]
        self.assertEqual(
            (task["Status"], task["TaskHandle"], task["SourceArn"], task["DestinationArn"], task["MaxNumberOfMessagesPerSecond"], task["ApproximateNumberOfMessagesToMove"]),
            ("RUNNING", handle, arn("dead"), arn("other"), 1, 5),
        )
        self.assertGreater(task["StartedTimestamp"], 1600000000000)
        moved = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
        self.assertIn(moved, range(5))
        task = sqs.list_message_move_tasks(SourceArn=arn("dead"))["Results"][0]
        self.assertIn(task["Status"], ("CANCELLING", "CANCELLED"))
        self.assertNotIn("TaskHandle", task)
        self.fails("ResourceNotFoundException", 404, sqs.start_message_move_task, SourceArn=arn("nobody"))
        self.fails("InvalidParameterValue", 400, sqs.cancel_message_move_task, TaskHandle="garbage")
        sqs.delete_queue(QueueUrl=other)

    def test_resource(self):
        """The object-oriented interface, which many programs use."""
        service = boto3.resource(
            "sqs", endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id="AKID", aws_secret_access_key="SECRET"
        )
        q = service.create_queue(QueueName="resource", Attributes={"DelaySeconds": "0"})
        self.assertEqual(service.get_queue_by_name(QueueName="resource").url, q.url)
        q.send_message(MessageBody="boto3", MessageAttributes={"Author": {"StringValue": "Daniel", "DataType": "String"}})
        got = q.receive_messages(WaitTimeSeconds=20, MessageAttributeNames=["Author"])
        self.assertEqual([(m.body, m.message_attributes["Author"]["StringValue"]) for m in got], [("boto3", "Daniel")])
        got[0].delete()
        self.assertEqual(q.attributes["QueueArn"], arn("resource"))
        q.delete()


if __name__ == "__main__":
    model = sqs.meta.service_model
    print("boto3", boto3.__version__, "botocore", botocore.__version__, "python", sys.version.split()[0], model.metadata["protocol"])
    unittest.main(argv=[sys.argv[0]], verbosity=2, warnings="ignore")
