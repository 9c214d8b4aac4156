JSON_OBJECT(
  'type', NEW.type,
  'title', NEW.title,
  'status', NEW.status,
  'createdAt', DATE_FORMAT(CONVERT_TZ(NEW.created_at, @@session.time_zone, '+00:00'), '%Y-%m-%dT%H:%i:%s.%fZ'),
  'sourceApp', 'contracts',
  'ownerEmail', NEW.owner_email,
  'authorEmail', NEW.author_email
  -- , 'startDate', NEW.start_date, 'expiryDate', NEW.expiry_date, 'executedAt', …, 'referenceId', NEW.reference,
  -- 'contractValue', NEW.value, 'counterpartyName', NEW.counterparty, 'additionalFacts', JSON_EXTRACT(NEW.facts, '$')
)
