-- For each minute, camera and class: in how many frames it was looked for, and in how many it was found.
-- Reads answers.jsonl, which `groundcam watch --json --from-beginning` prints.
--
-- minute             null of frames that nobody looked at, where no other frame of their run says when that was
-- looked             frames in which the class was looked for, found or not
-- found_in, objects  of these; null where nobody looked: "not looked" is not "nothing seen"
-- not_looked         frames of the camera that nobody looked at: the same in each row of its minute, as away_s
-- away_s             seconds in which the camera delivered no frames to its producer. A producer that is stopped itself
--                    writes no gap: its minutes have no rows, or fewer looks and 0 here; groundcam.cameras alone tells

WITH answers AS (
    SELECT * FROM read_json('answers.jsonl', format = 'newline_delimited', columns = {
        schema: 'VARCHAR', camera_id: 'VARCHAR',
        -- of detections
        captured_at: 'TIMESTAMP_NS', frame: 'STRUCT(run_id VARCHAR, seq BIGINT)',
        question: 'STRUCT(classes VARCHAR[])', objects: 'STRUCT(label VARCHAR)[]',
        -- of gaps
        run_id: 'VARCHAR', reason: 'VARCHAR', first_seq: 'BIGINT', last_seq: 'BIGINT',
        "from": 'TIMESTAMP_NS', "to": 'TIMESTAMP_NS'
    })
), looks AS (
    SELECT camera_id, frame.run_id AS run_id, frame.seq AS seq, captured_at::TIMESTAMP AS captured, question.classes AS classes,
           list_transform(objects, lambda one: one.label) AS labels
    FROM answers WHERE schema LIKE 'detections/1.%'
), gaps AS (
    -- A gap may come twice, as all that Kafka carries.
    SELECT DISTINCT camera_id, run_id, reason, first_seq, last_seq, "from"::TIMESTAMP AS begins, "to"::TIMESTAMP AS ends
    FROM answers WHERE schema LIKE 'gap/1.%'
), missed AS (
    -- A range of frames has no time: that of the frame before it counts, or of the one behind it.
    SELECT gaps.camera_id, date_trunc('minute', coalesce(earlier.captured, later.captured)) AS minute,
           sum(gaps.last_seq - gaps.first_seq + 1) AS frames
    FROM gaps
    ASOF LEFT JOIN looks AS earlier
        ON gaps.camera_id = earlier.camera_id AND gaps.run_id = earlier.run_id AND gaps.first_seq > earlier.seq
    ASOF LEFT JOIN looks AS later
        ON gaps.camera_id = later.camera_id AND gaps.run_id = later.run_id AND gaps.last_seq < later.seq
    WHERE gaps.first_seq IS NOT NULL
    GROUP BY ALL
), away AS (
    SELECT camera_id, minute,
           sum(epoch(least(ends, minute + INTERVAL 1 MINUTE)) - epoch(greatest(begins, minute))) AS seconds
    FROM (
        SELECT camera_id, begins, ends,
               unnest(generate_series(
                   date_trunc('minute', begins), ends - INTERVAL 1 MICROSECOND, INTERVAL 1 MINUTE
               )) AS minute
        FROM gaps WHERE begins IS NOT NULL
    )
    GROUP BY ALL
), classes AS (
    SELECT DISTINCT camera_id, unnest(classes) AS class FROM looks
), found AS (
    SELECT camera_id, date_trunc('minute', captured) AS minute, class, count(*) AS looked,
           count_if(list_contains(labels, class)) AS found_in,
           sum(len(list_filter(labels, lambda one: one = class))) AS objects
    FROM (SELECT *, unnest(classes) AS class FROM looks)
    GROUP BY ALL
), minutes AS (
    SELECT camera_id, minute FROM found UNION SELECT camera_id, minute FROM missed
    UNION SELECT camera_id, minute FROM away
)
SELECT minutes.minute, minutes.camera_id, class, coalesce(looked, 0)::BIGINT AS looked, found_in::BIGINT AS found_in,
       objects::BIGINT AS objects,
       coalesce(missed.frames, 0)::BIGINT AS not_looked, round(coalesce(away.seconds, 0), 3) AS away_s
FROM minutes
LEFT JOIN classes USING (camera_id)
LEFT JOIN found USING (camera_id, minute, class)
LEFT JOIN missed ON missed.camera_id = minutes.camera_id AND missed.minute IS NOT DISTINCT FROM minutes.minute
LEFT JOIN away ON away.camera_id = minutes.camera_id AND away.minute = minutes.minute
ORDER BY ALL
