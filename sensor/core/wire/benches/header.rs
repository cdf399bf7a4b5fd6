//! The header layer: an ordinary section parsed, collected from segments, and its costly fields alone.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{criterion_group, criterion_main, Criterion, Throughput};
use wire::anomaly::AnomalySet;
use wire::header::collector::Collector;
use wire::header::encoded_word::decode_text;
use wire::header::{address, parse_section, trace};
use wire::interest::{Interest, InterestSpec};
use wire::limits::Limits;

/// What a mail from one organisation to another carries after three hops.
const ORDINARY: &str = "Received: from gw.corp.example (gw.corp.example [192.0.2.7])
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
\t key-exchange X25519 server-signature RSA-PSS (2048 bits))
\t(No client certificate requested)
\tby mx.dst.example (Postfix) with ESMTPS id 4F2A1B3C4D
\tfor <ann@dst.example>; Sun, 22 Nov 2026 01:04:19 +0100 (CET)
Received: from AM0PR01MB1234.prod.example (2001:db8:208:1::12)
 by AM0PR01MB5678.prod.example (2001:db8:208:2::9) with Microsoft SMTP
 Server (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id
 15.20.8158.20; Sun, 22 Nov 2026 00:04:18 +0000
Received: from AM0PR01MB1234.prod.example
 ([fe80::1]) by AM0PR01MB1234.prod.example
 ([fe80::1%4]) with mapi id 15.20.8158.023; Sun, 22 Nov 2026 00:04:17 +0000
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=corp.example; s=selector1;
 h=From:Date:Subject:Message-ID:Content-Type:MIME-Version:X-MS-Exchange-SenderADCheck;
 bh=mBzFEkNHj4oMUa4xQgNqOa3bZ1FjYp5c2Zy0b6W3yEw=;
 b=kXlZrA0nQ3vT1hJ8dK5mS7uB2cE9fG4iL6oP0qR1sT3wV5xY7zA9bC2dE4fG6hI8jK0lM2nO4pQ6
 rS8tU0vW2xY4zA6bC8dE0fG2hI4jK6lM8nO0pQ2rS4tU6vW8xY0zA2bC4dE6fG8hI0jK2lM4nO6pQ8
From: Bo Example <bo@corp.example>
To: \"Example, Ann\" <ann@dst.example>
CC: Cy <cy@dst.example>
Subject: =?iso-8859-1?Q?=DCbersicht_f=FCr_das_dritte_Quartal?=
Thread-Topic: =?iso-8859-1?Q?=DCbersicht_f=FCr_das_dritte_Quartal?=
Thread-Index: AQHbPHJ0a1b2c3d4e5f6g7h8i9j0kQ==
Date: Sun, 22 Nov 2026 00:04:17 +0000
Message-ID: <AM0PR01MB12345678@AM0PR01MB1234.prod.example>
References: <1.a@dst.example> <2.b@corp.example>
In-Reply-To: <2.b@corp.example>
Accept-Language: de-DE, en-US
Content-Language: de-DE
X-MS-Has-Attach:
X-MS-TNEF-Correlator:
x-ms-publictraffictype: Email
x-ms-traffictypediagnostic: AM0PR01MB1234:EE_|AM0PR01MB5678:EE_
x-microsoft-antispam: BCL:0;ARA:13230040|376014|366016|1800799024
X-OriginatorOrg: corp.example
X-MS-Exchange-CrossTenant-Id: 44d81603-6a98-429d-8ab9-bb947b669639
Content-Type: multipart/alternative;
\tboundary=\"_000_AM0PR01MB1234_\"
MIME-Version: 1.0

";

fn interest() -> Interest {
    let names = [
        "X-MS-Exchange-Inbox-Rules-Loop",
        "X-Forwarded-For",
        "X-Forwarded-To",
        "X-OriginatorOrg",
        "X-Loop",
        "Resent-From",
    ];
    let spec = InterestSpec {
        fields: names.map(str::to_owned).to_vec(),
        subject_prefixes: ["fw", "fwd", "wg"].map(str::to_owned).to_vec(),
        ..InterestSpec::default()
    };
    Interest::new(&spec).unwrap()
}

fn header(bench: &mut Criterion) {
    let content = ORDINARY.replace('\n', "\r\n").into_bytes();
    let section = &content[..content.len() - 2];
    let (interest, limits) = (interest(), Limits::default());

    let mut group = bench.benchmark_group("header");
    group.throughput(Throughput::Bytes(content.len() as u64));
    group.bench_function("parse_section", |b| {
        b.iter(|| parse_section(black_box(section), &interest, &limits))
    });
    group.bench_function("collect_whole", |b| {
        let mut collector = Collector::new(&limits);
        b.iter(|| {
            collector.reset();
            black_box(collector.feed(black_box(&content)));
        });
    });
    group.bench_function("collect_segments", |b| {
        let mut collector = Collector::new(&limits);
        b.iter(|| {
            collector.reset();
            for segment in content.chunks(1460) {
                black_box(collector.feed(black_box(segment)));
            }
        });
    });
    group.finish();

    let mut alone = bench.benchmark_group("field");
    alone.bench_function("trace_of_three_lines", |b| {
        b.iter(|| trace(black_box(section), &limits, &mut AnomalySet::default()))
    });
    alone.bench_function("date", |b| {
        b.iter(|| {
            wire::header::date::parse(
                black_box(b" Sun, 22 Nov 2026 01:04:17 +0100 (CET)"),
                &mut AnomalySet::default(),
            )
        });
    });
    alone.bench_function("address", |b| {
        b.iter(|| address::bare(black_box(b" \"Example, Ann\" <ann@dst.example>")))
    });
    alone.bench_function("encoded_word", |b| {
        b.iter(|| {
            decode_text(
                black_box(b"=?iso-8859-1?Q?=DCbersicht_f=FCr_das_dritte_Quartal?="),
                &mut AnomalySet::default(),
            )
        });
    });
    alone.finish();
}

criterion_group!(benches, header);
criterion_main!(benches);
