/* The tree behind expr.h: shared by expr.c (text -> tree) and expr_bind.c (names, types, values) only. */
#ifndef EXPR_NODE_H
#define EXPR_NODE_H

#include "expr.h"

enum expr_op {
	OP_NUMBER,
	OP_TEXT, /* quoted, or a bare word after binding */
	OP_NAME, /* before binding */
	OP_PARAM,
	OP_NEG,
	OP_NOT,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_DIV,
	OP_MOD,
	OP_POW,
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_AND,
	OP_OR,
	OP_IN, /* args[0] in args[1..] */
	OP_CALL
};

enum expr_func { FUNC_MIN, FUNC_MAX, FUNC_LOG, FUNC_EXP, FUNC_SQRT, FUNC_ABS, FUNC_FLOOR, FUNC_CEIL };

struct expr {
	enum expr_op op;
	enum expr_func func;
	uint32_t at;           /* offset in the text */
	uint32_t phase, index; /* PARAM */
	uint32_t nargs;
	double number;
	const char *text;
	const struct param *param;
	struct expr **args;
};

#endif
